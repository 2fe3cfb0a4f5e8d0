"""Looks into a fitted model in a separate process, so that what its file runs cannot touch this one.

`python -m seatrial.adapters.frameworks.inspect FILE DIGEST` is that process: it opens the file only while its
digest is the one that was consented to, and prints facts as one line of JSON, its last.
"""

import hashlib
import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from seatrial.errors import MissingExtra, NotFound, TrainingFailed
from seatrial.prototype.ports import ModelFacts

TIMEOUT_SECONDS = 120
_TWO = 2


class SubprocessInspector:
    """Inspects files that joblib or pickle wrote."""

    def inspect(self, path: Path) -> ModelFacts:
        """The facts. Raises NotFound, MissingExtra, or TrainingFailed when the file holds no model."""
        if not path.is_file():
            raise NotFound(f"no model file {path}")
        if importlib.util.find_spec("joblib") is None:
            raise MissingExtra("joblib", "train")
        # -P keeps files beside the model from passing for modules of the standard library.
        command = [sys.executable, "-P", "-m", __name__, str(path.resolve()), _digest(path.read_bytes())]
        try:
            done = subprocess.run(  # noqa: S603 - our own module, in this Python
                command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TrainingFailed(f"{path}: opening the model took more than {TIMEOUT_SECONDS} s") from error
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise TrainingFailed(f"{path}: cannot be opened as a fitted model: {reason}")
        return msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=ModelFacts)


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _describe(path: Path, digest: str) -> ModelFacts:
    import joblib

    body = path.read_bytes()
    if _digest(body) != digest:
        raise TrainingFailed(f"{path} changed after its digest was taken")
    sys.path.append(str(path.parent))
    model = joblib.load(io.BytesIO(body))
    return ModelFacts(
        digest=digest,
        class_name=f"{type(model).__module__}.{type(model).__qualname__}",
        features=tuple(str(name) for name in getattr(model, "feature_names_in_", ())),
        task=_task(model),
    )


def _task(model: Any) -> str:
    classes = getattr(model, "classes_", None)
    if hasattr(model, "predict_proba") and classes is not None:
        return "binary" if len(classes) == _TWO else "multiclass"
    return "regression" if hasattr(model, "predict") else "unknown"


def main(arguments: list[str]) -> None:
    """Writes the facts of the model in a file. Raises whatever opening it raises."""
    facts = _describe(Path(arguments[0]), arguments[1])
    sys.stdout.write(f"{msgspec.json.encode(facts).decode()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""LitServe: one worker on the CPU, without batching, which is its faster way for a small model."""

import os
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import litserve
import numpy as np
import numpy.typing as npt

FOLDER, PORT = Path(os.environ["SERVING_MODEL"]), int(os.environ["SERVING_PORT"])
SCIKIT_LEARN = os.environ["SERVING_SCORER"] == "scikit-learn"


class Trees(litserve.LitAPI):  # type: ignore[misc]  # no types where LitServe is not
    """Rows in, scores out."""

    def setup(self, device: str) -> None:
        """Load the model in the worker."""
        self.device = device
        self.model = joblib.load(FOLDER / "model.joblib")
        self.booster = lightgbm.Booster(model_file=FOLDER / "model.bst")

    def decode_request(self, request: dict[str, Any]) -> npt.NDArray[np.float32]:
        """The rows as a matrix."""
        return np.array(request["rows"], dtype=np.float32)

    def predict(self, x: npt.NDArray[np.float32]) -> Any:
        """The scores."""
        return self.model.predict_proba(x)[:, 1] if SCIKIT_LEARN else self.booster.predict(x, num_threads=1)

    def encode_response(self, output: Any) -> dict[str, list[float]]:
        """The answer."""
        return {"scores": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Trees(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=PORT, num_api_servers=1, log_level="warning", generate_client_file=False
    )

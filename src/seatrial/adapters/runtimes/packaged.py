"""The runtime of every package: ONNX Runtime, LightGBM's C interface beside it, or the model's own library isolated."""

import logging
from importlib.metadata import PackageNotFoundError, version

from seatrial.adapters.runtimes.isolated import IsolatedScorer
from seatrial.adapters.runtimes.lightgbm import LightgbmScorer, with_fast_rows
from seatrial.adapters.runtimes.onnx import OnnxScorer
from seatrial.adapters.runtimes.package import (
    LIGHTGBM_PART,
    ONNX_PART,
    PROBES_PART,
    Manifest,
    Package,
    is_package,
    read_package,
)
from seatrial.ports.runtime import Limits

_log = logging.getLogger(__name__)


class PackagedRuntime:
    """Loads packages, and the bare ONNX models of older workspaces.

    `threads` are ONNX Runtime's per model: one by default, for a server runs several processes. `processes` are those
    of an isolated model, which has `load_seconds` to open.
    """

    def __init__(self, threads: int = 1, processes: int = 1, load_seconds: float = 60.0) -> None:
        self._threads, self._processes, self._load_seconds = threads, processes, load_seconds

    def load(
        self, package: bytes, limits: Limits | None = None
    ) -> OnnxScorer | LightgbmScorer | IsolatedScorer:
        if not is_package(package):
            return OnnxScorer(package, threads=self._threads)
        opened = read_package(package)
        if opened.manifest.kind == "onnx":
            return self._onnx(opened)
        _warn_of_other_versions(opened.manifest)
        return IsolatedScorer(
            package,
            opened.manifest,
            limits or Limits(),
            processes=self._processes,
            load_seconds=self._load_seconds,
        )

    def _onnx(self, package: Package) -> OnnxScorer | LightgbmScorer:
        scorer = OnnxScorer(package.part(ONNX_PART), package.manifest.inputs, self._threads)
        if LIGHTGBM_PART not in package.parts:
            return scorer
        return with_fast_rows(scorer, package.part(LIGHTGBM_PART), package.part(PROBES_PART))


def _warn_of_other_versions(manifest: Manifest) -> None:
    """A library of another version may score otherwise than the one that was held against the fitted model."""
    other = {
        name: (trained, here)
        for name, trained in manifest.libraries.items()
        if (here := _installed(name)) != trained
    }
    for name, (trained, here) in other.items():
        _log.warning(
            "model: %s %s fitted it, %s is installed here; install that version, or train again",
            name,
            trained,
            here or "none",
        )


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""

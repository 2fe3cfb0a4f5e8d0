"""Single rows through LightGBM's own C interface, which answers them faster than ONNX Runtime does.

Source: LightGBM's c_api.h, `LGBM_BoosterPredictForMatSingleRowFast`. The shared library is loaded without the
Python package around it, which imports scikit-learn. `PyDLL` keeps Python's lock during a call of a few microseconds:
calls of several threads follow each other, and no lock of our own is needed.
"""

import ctypes
import importlib.util
import logging
import sys
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.adapters.runtimes.onnx import OnnxScorer
from seatrial.errors import ModelFailed, TrainingFailed
from seatrial.ports.runtime import Inputs

# As training allows a conversion to differ (`train.parity`).
TOLERANCE = 1e-5
_FLOAT32 = 0
_NORMAL = 0
_ALL = -1
_PARAMETERS = b"num_threads=1"
_log = logging.getLogger(__name__)


@cache
def shared_library() -> Any:
    """LightGBM's library, or None where it is not installed, or where Python has no lock that calls could keep."""
    spec = importlib.util.find_spec("lightgbm")
    if spec is None or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    found = [
        path
        for folder in spec.submodule_search_locations or ()
        for path in (Path(folder) / "lib").glob("lib_lightgbm.*")
    ]
    try:
        library = ctypes.PyDLL(str(found[0])) if found else None
    except OSError as error:
        _log.warning("lightgbm: %s cannot be loaded (%s); ONNX Runtime serves", found[0], error)
        return None
    if library is not None:
        library.LGBM_GetLastError.restype = ctypes.c_char_p
        library.LGBM_BoosterPredictForMatSingleRowFast.argtypes = [ctypes.c_void_p] * 4
    return library


class BoosterRow:
    """A booster that scores one row at a time. Raises TrainingFailed when it is no model of so many features."""

    def __init__(self, library: Any, model: bytes, features: int) -> None:
        booster, fast, rounds = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
        if library.LGBM_BoosterLoadModelFromString(model, ctypes.byref(rounds), ctypes.byref(booster)):
            raise TrainingFailed(f"package: LightGBM cannot load its model ({_said(library)})")
        self._release = weakref.finalize(self, _free, library, booster, fast)
        if library.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster, _NORMAL, 0, _ALL, _FLOAT32, features, _PARAMETERS, ctypes.byref(fast)
        ):
            raise TrainingFailed(
                f"package: LightGBM cannot score rows of {features} features ({_said(library)})"
            )
        self._library = library
        self._predict = library.LGBM_BoosterPredictForMatSingleRowFast
        self._fast = fast
        # Always 1, and never read: threads may share it.
        self._written = ctypes.byref(ctypes.c_int64())

    def score(self, row: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The probability of one row, of shape (1,), from a matrix of shape (1, k). Raises ModelFailed."""
        score = np.empty(1)
        if self._predict(self._fast, _address(row), self._written, _address(score)):
            raise ModelFailed(f"model: LightGBM could not score this row: {_said(self._library)}")
        return score


class LightgbmScorer:
    """Single rows by LightGBM, more by ONNX Runtime: from two rows on that is the faster one."""

    isolated = False

    def __init__(self, onnx: OnnxScorer, row: BoosterRow) -> None:
        self._onnx, self._row = onnx, row
        (tensor,) = onnx.tensors
        self._name, self._features = tensor.name, tensor.features

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        try:
            matrix = inputs.matrix(self._features)
        except KeyError:
            return self._onnx.score(inputs)
        if matrix.shape[0] == 1:
            return self._row.score(matrix)
        return self._onnx.score_feed({self._name: matrix})

    def close(self) -> None:
        """It has no process of its own."""


def with_fast_rows(onnx: OnnxScorer, model: bytes, probes: bytes) -> OnnxScorer | LightgbmScorer:
    """The model with LightGBM for single rows, if that is installed here and agrees with ONNX on the probes."""
    library = shared_library()
    if library is None:
        return onnx
    (tensor,) = onnx.tensors
    rows = np.frombuffer(probes, dtype=np.float32).reshape(-1, len(tensor.features))
    try:
        row = BoosterRow(library, model, len(tensor.features))
        found = np.concatenate([row.score(rows[number : number + 1]) for number in range(len(rows))])
        expected = onnx.score_feed({tensor.name: rows})
    except (ModelFailed, TrainingFailed) as error:
        _log.warning("lightgbm: left out, ONNX Runtime serves every row: %s", error)
        return onnx
    difference = float(np.max(np.abs(found - expected)))
    # Not `>`: a difference that is no number is no agreement.
    if not difference <= TOLERANCE:
        _log.warning(
            "lightgbm: left out, ONNX Runtime serves every row: %d probes differ by up to %.3g, %g are allowed",
            len(rows), difference, TOLERANCE,
        )  # fmt: skip
        return onnx
    return LightgbmScorer(onnx, row)


def _address(array: Any) -> Any:
    try:
        # Five times as fast as asking NumPy for the address; refused for arrays that may not be written.
        return ctypes.byref(ctypes.c_char.from_buffer(array))
    except TypeError:
        return array.ctypes.data


def _said(library: Any) -> str:
    return str(library.LGBM_GetLastError().decode(errors="replace"))


def _free(library: Any, booster: Any, fast: Any) -> None:
    if fast:
        library.LGBM_FastConfigFree(fast)
    library.LGBM_BoosterFree(booster)

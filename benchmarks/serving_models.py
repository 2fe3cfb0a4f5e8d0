"""From LightGBM's booster: the ONNX model of the floors, and the right answers."""

from pathlib import Path

import lightgbm
import numpy as np
import onnx
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType


def write_onnx(folder: Path) -> None:
    """Write the model beside the booster, with one matrix `x` as its input."""
    booster = lightgbm.Booster(model_file=folder / "model.bst")
    types = [("x", FloatTensorType([None, booster.num_feature()]))]
    onnx.save(
        convert_lightgbm(booster, initial_types=types, zipmap=False, target_opset=15), folder / "model.onnx"
    )


def right_scores(folder: Path, rows: list[list[float]]) -> list[float]:
    """What the booster says to the rows."""
    booster = lightgbm.Booster(model_file=folder / "model.bst")
    return [float(score) for score in np.asarray(booster.predict(np.array(rows, dtype=np.float32)))]

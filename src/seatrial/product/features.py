"""Model inputs from examples: the one encoding that training, packaging and serving share."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

# A model takes numbers, truth values and categories: of these types, a product file derives one of them.
NEVER_FEATURES = {
    "timestamp": "a moment",
    "date": "a date",
    "time": "a time of day",
    "array": "an array",
    "object": "an object",
}


class Feature(msgspec.Struct, frozen=True):
    """One model input: its name, and its contract type (string, float, int or bool)."""

    name: str
    type: str

    @property
    def categorical(self) -> bool:
        """True when the model receives it as text."""
        return self.type == "string"


class ColumnInputs(dict[str, npt.NDArray[Any]]):
    """Model inputs by feature, each of shape (n_rows, 1); see `ports.runtime.Inputs`."""

    def matrix(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Numbers side by side, of shape (n_rows, len(names)), row after row in memory."""
        return np.ascontiguousarray(np.hstack([self[name] for name in names]), dtype=np.float32)


def encode(frame: pl.DataFrame, features: Sequence[Feature]) -> ColumnInputs:
    """Model inputs of shape (n_rows, 1) each: text (missing is "") or float32 (missing is NaN).

    Training sees float32 too, so that no value falls on another side of a tree's cut when it is served.
    """
    return ColumnInputs({feature.name: _column(frame[feature.name], feature) for feature in features})


def _column(series: pl.Series, feature: Feature) -> npt.NDArray[Any]:
    if feature.categorical:
        texts = ["" if text is None else text for text in series.to_list()]
        return np.asarray(texts, dtype=object).reshape(-1, 1)
    # A missing number becomes NaN on its way to NumPy.
    return np.ascontiguousarray(series.cast(pl.Float32).to_numpy()).reshape(-1, 1)

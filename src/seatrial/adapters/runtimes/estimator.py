"""Scores of a fitted scikit-learn estimator: the same code where it was fitted, and where it runs isolated."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def probabilities(estimator: Any, rows: Any, count: int) -> npt.NDArray[np.float64]:
    """The outcome's probabilities, of shape (count,), of so many rows.

    Raises TypeError and ValueError when the estimator gives no two numbers for each row, and what it raises itself.
    """
    if not count:
        return np.empty(0)
    found = np.asarray(estimator.predict_proba(rows))
    if found.shape != (count, 2):
        raise ValueError(f"expected probabilities of shape {(count, 2)}, got {found.shape}")
    if found.dtype.kind not in "fiu":
        raise TypeError(f"expected probabilities that are numbers, got {found.dtype}")
    return np.asarray(found[:, 1], dtype=np.float64)


def frame(inputs: Mapping[str, npt.NDArray[Any]], columns: Sequence[str]) -> Any:
    """Inputs of shape (n_rows, 1) as a Polars frame, because pipelines choose their columns by name."""
    import polars as pl

    return pl.DataFrame([_series(name, inputs[name][:, 0]) for name in columns])


def _series(name: str, values: npt.NDArray[Any]) -> Any:
    import polars as pl

    if values.dtype == object:
        return pl.Series(name, values.tolist(), dtype=pl.String)
    return pl.Series(name, np.ascontiguousarray(values))

"""Estimators that speak of their columns by name, and so have to be given names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

# They give the same model for a matrix as for a frame, unless a parameter names a column.
_INDIFFERENT = {"sklearn", "lightgbm", "xgboost", "imblearn", "catboost"}
_FROM_DTYPE = "from_dtype"


def speaks_of_names(made: Any, model: Any, columns: Sequence[str]) -> bool:
    """Whether a parameter of the unfitted model names a column, or what was made is a class of somebody's own.

    Such a class may look for the names under which it was fitted before; where it was not, it gets a matrix.
    """
    parameters = _parameters(model)
    if any(_mentions(value, frozenset(columns)) for value in parameters.values()):
        return True
    parts = [made, *(value for value in parameters.values() if hasattr(value, "get_params"))]
    own = any(_library(part) not in _INDIFFERENT for part in parts)
    return own and hasattr(made, "feature_names_in_")


def with_categories(made: Any) -> Any:
    """A copy, unfitted. Columns that were categories by the type that they had in the frame are now so by name."""
    from sklearn.base import clone

    model = clone(made)
    found = getattr(made, "is_categorical_", None)
    by_type = isinstance(getattr(made, "categorical_features", None), str)
    if found is None or not by_type or made.categorical_features != _FROM_DTYPE:
        return model
    names = np.asarray(getattr(made, "feature_names_in_", ()))[np.asarray(found, dtype=bool)]
    return model.set_params(categorical_features=[str(name) for name in names])


def _parameters(model: Any) -> dict[str, Any]:
    return model.get_params() if hasattr(model, "get_params") else {}


def _mentions(value: Any, columns: frozenset[str]) -> bool:
    """Whether a value is a column's name, or lists one, or maps one to something."""
    if isinstance(value, str):
        return value in columns
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "OU" and _mentions(value.tolist(), columns)
    if isinstance(value, Mapping | Sequence | set | frozenset) and not isinstance(value, bytes):
        entries: Iterable[Any] = value
        return any(_mentions(entry, columns) for entry in entries)
    return False


def _library(estimator: Any) -> str:
    return type(estimator).__module__.partition(".")[0]

"""What measures accept: finite arrays of one length. A violation is the caller's mistake, hence ValueError."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Blocks = npt.NDArray[Any]


def finite(name: str, values: npt.ArrayLike) -> Floats:
    """The values as a flat float64 array.

    Raises:
        ValueError: when they are not one-dimensional, or hold NaN or infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one dimension, received shape {array.shape}")
    broken = int(array.size - np.isfinite(array).sum())
    if broken:
        raise ValueError(
            f"{name}: {broken} of {array.size} values are NaN or infinite; drop unknown rows first"
        )
    return array


def within_unit(name: str, values: npt.ArrayLike) -> Floats:
    """The values as a flat float64 array in [0, 1].

    Raises:
        ValueError: when one is NaN or lies outside.
    """
    array = finite(name, values)
    if array.size and (array.min() < 0.0 or array.max() > 1.0):
        raise ValueError(f"{name}: expected [0, 1], received [{array.min():g}, {array.max():g}]")
    return array


def flags(name: str, values: npt.ArrayLike) -> Booleans:
    """The values as a flat boolean array; 0 and 1 are taken as well.

    Raises:
        ValueError: when one is neither true nor false.
    """
    array = np.asarray(values)
    if array.dtype == np.bool_ and array.ndim == 1:
        return array
    numbers = within_unit(name, array)
    if np.any((numbers != 0.0) & (numbers != 1.0)):
        raise ValueError(f"{name}: expected true or false (1 or 0), received fractions")
    return np.asarray(numbers == 1.0)


def indicator(array: Booleans) -> Floats:
    """1 where true, 0 where false."""
    return array.astype(np.float64)


def same_length(**arrays: npt.NDArray[Any]) -> int:
    """The common length of the named arrays.

    Raises:
        ValueError: when they differ.
    """
    sizes = {name: array.size for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            "arrays of one length expected, received " + ", ".join(f"{n}: {s}" for n, s in sizes.items())
        )
    return next(iter(sizes.values()))

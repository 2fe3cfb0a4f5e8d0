"""Totals, means and ratios whose independent units are blocks: days, stores, batches that share shocks.

Rows inside a block may depend on each other in any way; only the blocks are taken as independent. Variance by the
ultimate cluster estimator (Hansen, Hurwitz & Madow 1953; Liang & Zeger, Biometrika 1986), Student's t with
blocks - 1 degrees of freedom (Cameron & Miller, J. Human Resources 2015). Without blocks every row is its own unit.
"""

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.facts.estimate import Estimate
from seatrial.measures.inputs import Floats, Integers, finite, same_length
from seatrial.measures.intervals import WHOLE_LINE, normal, student, unknown


def block_index(blocks: npt.ArrayLike | None, rows: int) -> tuple[Integers, int]:
    """The number of each row's block (in the sorted order of the block ids), and how many blocks there are.

    Raises:
        ValueError: when the ids are not as many as the rows.
    """
    if blocks is None:
        return np.arange(rows, dtype=np.int64), rows
    ids = np.asarray(blocks)
    if ids.shape != (rows,):
        raise ValueError(f"blocks: expected {rows} ids, one per row, received shape {ids.shape}")
    names, index = np.unique(ids, return_inverse=True)
    return index.astype(np.int64), int(names.size)


def block_sums(values: npt.ArrayLike, blocks: npt.ArrayLike | None) -> Floats:
    """One sum per block, in the sorted order of the block ids (days: in time)."""
    array = finite("values", values)
    index, count = block_index(blocks, array.size)
    return np.asarray(np.bincount(index, weights=array, minlength=count), dtype=np.float64)


def block_means(values: npt.ArrayLike, blocks: npt.ArrayLike | None) -> Floats:
    """One mean per block, in the sorted order of the block ids: what an e-detector is fed."""
    array = finite("values", values)
    index, count = block_index(blocks, array.size)
    return np.bincount(index, weights=array, minlength=count) / np.bincount(index, minlength=count)


def mean(values: npt.ArrayLike, blocks: npt.ArrayLike | None = None, *, confidence: float = 0.95) -> Estimate:
    """The mean over rows; `n` is the number of blocks. No value without rows, no bounds below two blocks."""
    array = finite("values", values)
    return ratio(array, np.ones_like(array), blocks, confidence=confidence)


def total(
    values: npt.ArrayLike, blocks: npt.ArrayLike | None = None, *, confidence: float = 0.95
) -> Estimate:
    """The sum over rows, bounded for "as many blocks again, of the same kind". 0 without rows."""
    sums = block_sums(values, blocks)
    units = sums.size
    error = math.sqrt(units) * float(np.std(sums, ddof=1)) if units > 1 else 0.0
    return student(
        math.fsum(sums), error, units, confidence=confidence, method="total by blocks, Student's t"
    )


def paired(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The mean of `first` - `second`, row by row of the same rows: what both share cancels out."""
    a, b = finite("first", first), finite("second", second)
    same_length(first=a, second=b)
    return mean(a - b, blocks, confidence=confidence)


def ratio(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    within: tuple[float, float] = WHOLE_LINE,
) -> Estimate:
    """The ratio of two sums, linearised (delta method); no value when the denominators sum to 0."""
    over, under = finite("numerator", numerator), finite("denominator", denominator)
    rows = same_length(numerator=over, denominator=under)
    whole = float(under.sum())
    method = "ratio by blocks, Student's t"
    if rows == 0 or whole == 0.0:
        return unknown(confidence=confidence, method=method)
    value = float(over.sum()) / whole
    sums = block_sums(over - value * under, blocks)
    error = math.sqrt(residual_variance(sums)) / abs(whole)
    return student(value, error, sums.size, confidence=confidence, method=method, within=within)


def residual_variance(sums: Floats) -> float:
    """The variance of the sum of block residuals that sum to 0: G / (G - 1) times their squares; 0 below two."""
    units = sums.size
    return float(units / (units - 1) * np.sum(sums**2)) if units > 1 else 0.0


class DesignEffect(msgspec.Struct, frozen=True):
    """How much sharing a block costs: the correlation inside blocks and the factor by which it inflates variances."""

    correlation: Estimate
    block_size: float
    factor: float


def design_effect(
    values: npt.ArrayLike, blocks: npt.ArrayLike, *, confidence: float = 0.95
) -> DesignEffect | None:
    """The intraclass correlation rho and 1 + (n - 1) rho, n the block size that a row sees on average.

    One-way analysis of variance; the interval of rho by Swiger's standard error (Biometrics 1964), never below 0; the
    factor is never below 1. None below two blocks, without a block of two rows, or when all values are equal.
    """
    array = finite("values", values)
    index, units = block_index(blocks, array.size)
    rows = array.size
    sizes = np.bincount(index, minlength=units)
    if units < 2 or rows == units or np.ptp(array) == 0.0:
        return None
    usual = (rows - float(np.sum(sizes**2)) / rows) / (units - 1)
    seen = float(np.sum(sizes**2)) / rows
    rho = min(1.0, max(0.0, _raw_correlation(array, index, sizes, usual)))
    spread = 2 * (rows - 1) * (1 - rho) ** 2 * (1 + (usual - 1) * rho) ** 2
    error = math.sqrt(spread / (usual**2 * (rows - units) * (units - 1)))
    method = "analysis of variance, Swiger's error"
    correlation = normal(rho, error, units, confidence=confidence, method=method, within=(0.0, 1.0))
    return DesignEffect(correlation, seen, 1.0 + (seen - 1.0) * rho)


def _raw_correlation(array: Floats, index: Integers, sizes: npt.NDArray[Any], usual: float) -> float:
    means = np.bincount(index, weights=array, minlength=sizes.size) / sizes
    between = float(np.sum(sizes * (means - array.mean()) ** 2)) / (sizes.size - 1)
    within = float(np.sum((array - means[index]) ** 2)) / (array.size - sizes.size)
    return (between - within) / (between + (usual - 1.0) * within)

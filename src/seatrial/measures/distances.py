"""How far a feature's distribution has moved from a reference, with what chance alone would show.

Bins are fixed by the reference, so counts merge by addition over rows, days and machines. Population stability index
with its null mean (B - 1)(1/n + 1/m) (Yurdakul & Naranjo, J. Risk Model Validation 2020), Jensen-Shannon distance
(Endres & Schindelin 2003), largest difference. The p-value is Pearson's test of homogeneity: in the limit the law of
PSI n m / (n + m), and truer at small counts. Rows that share shocks need `design_effect` (Rao & Scott 1981).
"""

import math
from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.facts.finding import Verdict
from seatrial.measures.inputs import Floats, Integers
from seatrial.measures.probability import chi_square_tail

_SPARSE = 5.0
_SMALLEST_SAMPLE = 100
_LEVEL = 0.001


class NumericBins(msgspec.Struct, frozen=True, tag="numeric"):
    """Bins of a number: between `edges` (ascending; a value on an edge belongs to the right), then other, missing.

    Other: infinite, or more than the reference's whole range away from it, as after a change of unit. `low` above
    `high` says that the reference held no number.
    """

    edges: tuple[float, ...]
    low: float
    high: float

    @property
    def size(self) -> int:
        """How many counts there are, with other and missing."""
        return len(self.edges) + 3


class CategoryBins(msgspec.Struct, frozen=True, tag="category"):
    """Bins of a category: one for each of `categories`, then other, missing."""

    categories: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many counts there are, with other and missing."""
        return len(self.categories) + 2


Bins = NumericBins | CategoryBins


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """The distance of the current sample from the reference.

    `psi` less `null_mean` is what chance does not explain; `js` in [0, 1] (base 2); `largest` is the largest difference
    of two shares; `worst_bin` is where it lies. `degrees` counts the compared bins less one. The verdict never alarms:
    a shift is shown.
    """

    psi: float
    null_mean: float
    p_value: float
    js: float
    largest: float
    worst_bin: int
    degrees: int
    n_ref: int
    n_cur: int
    verdict: Verdict

    @property
    def excess(self) -> float:
        """PSI less its mean under no shift."""
        return self.psi - self.null_mean


def numeric_bins(reference: npt.ArrayLike, bins: int = 20) -> NumericBins:
    """Bins holding equal shares of the reference; NaN is missing. Few distinct values get a bin each."""
    array = np.asarray(reference, dtype=np.float64).ravel()
    known = array[np.isfinite(array)]
    if not known.size:
        return NumericBins((), 0.0, -1.0)
    distinct = np.unique(known)
    if distinct.size <= bins:
        edges = distinct[:-1] + np.diff(distinct) / 2.0
    else:
        edges = np.unique(np.quantile(known, np.arange(1, bins) / bins))
    return NumericBins(tuple(edges.tolist()), float(distinct[0]), float(distinct[-1]))


def category_bins(reference: Iterable[object], top: int = 20) -> CategoryBins:
    """Bins for the `top` most frequent categories of the reference, equals by name; None and NaN are missing."""
    counts = _tally(reference)
    ranked = sorted((name for name in counts if name is not None), key=lambda name: (-counts[name], name))
    return CategoryBins(tuple(ranked[:top]))


def count(bins: Bins, values: Iterable[object] | npt.ArrayLike) -> Integers:
    """How many values fall into each bin, other and missing last; counts of parts add up to counts of the whole."""
    if isinstance(bins, NumericBins):
        return _count_numbers(bins, np.asarray(values, dtype=np.float64).ravel())
    names = _tally(np.asarray(values, dtype=object).ravel().tolist())
    missing = names.pop(None, 0)
    known = [names.pop(name, 0) for name in bins.categories]
    return np.array([*known, sum(names.values()), missing], dtype=np.int64)


def _tally(values: Iterable[object]) -> Counter[str | None]:
    """Counts by name. Values are named once each, not once per row, which is what makes long columns quick."""
    names: Counter[str | None] = Counter()
    for value, times in Counter(values).items():
        names[None if _missing(value) else str(value)] += times
    return names


def shift(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    *,
    design_effect: float = 1.0,
    level: float = _LEVEL,
    smallest: int = _SMALLEST_SAMPLE,
) -> Shift:
    """The distance between two counts over the same bins.

    Bins expected to hold fewer than five rows are put together first. `design_effect` >= 1 divides both sample sizes.
    Verdict: not enough data when either sample has fewer than `smallest` rows, shown when the p-value is at most
    `level`, else ok.

    Raises:
        ValueError: when the counts have different bins or a negative count.
    """
    table = np.stack(_same_bins(reference, current))
    n_ref, n_cur = (int(n) for n in table.sum(axis=1))
    enough = min(n_ref, n_cur) >= smallest
    if min(n_ref, n_cur) == 0:
        return _nothing(n_ref, n_cur)
    pooled = _without_sparse(table)
    degrees = pooled.shape[1] - 1
    p, q = (table / table.sum(axis=1, keepdims=True)).tolist()
    gaps = np.abs(np.subtract(p, q))
    p_value = chi_square_tail(_pearson(pooled) / design_effect, degrees) if degrees else 1.0
    shown = Verdict.SHOWN if p_value <= level else Verdict.OK
    return Shift(
        psi=_psi(pooled),
        null_mean=design_effect * degrees * (1.0 / n_ref + 1.0 / n_cur),
        p_value=p_value,
        js=_jensen_shannon(np.array(p), np.array(q)),
        largest=float(gaps.max()),
        worst_bin=int(gaps.argmax()),
        degrees=degrees,
        n_ref=n_ref,
        n_cur=n_cur,
        verdict=shown if enough else Verdict.NOT_ENOUGH_DATA,
    )


def _count_numbers(bins: NumericBins, array: Floats) -> Integers:
    missing = np.isnan(array)
    reach = bins.high - bins.low
    other = ~missing & ~((array >= bins.low - reach) & (array <= bins.high + reach))
    if reach < 0.0:
        other = ~missing
    if reach == 0.0:
        other = ~missing & (array != bins.low)
    places = np.searchsorted(np.array(bins.edges), array[~missing & ~other], side="right")
    inside = np.bincount(places, minlength=len(bins.edges) + 1)
    return np.array([*inside, other.sum(), missing.sum()], dtype=np.int64)


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _same_bins(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(
            f"counts over the same bins expected, received shapes {first.shape} and {second.shape}"
        )
    if min(first.min(), second.min()) < 0:
        raise ValueError("counts cannot be negative")
    return first, second


def _without_sparse(table: Floats) -> Floats:
    """The table with bins that hold too little put into one; decided from both samples together, hence fair."""
    together, sizes = table.sum(axis=0), table.sum(axis=1)
    expected = together * (sizes.min() / sizes.sum())
    sparse = expected < _SPARSE
    kept, rest = table[:, ~sparse], table[:, sparse].sum(axis=1, keepdims=True)
    if not rest.sum():
        return kept
    if expected[sparse].sum() >= _SPARSE or not kept.shape[1]:
        return np.hstack([kept, rest])
    least = int(np.argmin(expected[~sparse]))
    kept[:, least] += rest[:, 0]
    return kept


def _psi(table: Floats) -> float:
    # Half a row added where a sample has none, or the index would be infinite.
    smoothed = np.where(table > 0, table, 0.5) if table.min() == 0 else table
    p, q = smoothed / smoothed.sum(axis=1, keepdims=True)
    return float(np.sum((p - q) * np.log(p / q)))


def _pearson(table: Floats) -> float:
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(np.sum((table - expected) ** 2 / expected))


def _jensen_shannon(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2.0
    return math.sqrt(max(0.0, (_divergence(p, middle) + _divergence(q, middle)) / 2.0))


def _divergence(p: Floats, q: Floats) -> float:
    seen = p > 0.0
    return float(np.sum(p[seen] * np.log2(p[seen] / q[seen])))


def _nothing(n_ref: int, n_cur: int) -> Shift:
    return Shift(
        psi=0.0,
        null_mean=0.0,
        p_value=1.0,
        js=0.0,
        largest=0.0,
        worst_bin=0,
        degrees=0,
        n_ref=n_ref,
        n_cur=n_cur,
        verdict=Verdict.NOT_ENOUGH_DATA,
    )

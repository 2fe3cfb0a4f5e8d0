"""The threshold of the highest value: every cut between two scores tried, in O(n log n).

Elkan, "The foundations of cost-sensitive learning", IJCAI 2001, with values per row instead of per class. The best
value on the rows that chose it is optimistic: promise the value on other rows.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.facts.estimate import Estimate
from seatrial.measures.blocks import total
from seatrial.measures.inputs import Floats, finite, same_length

_CURVE_POINTS = 200


class BestThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """The choice: act when score >= `threshold`.

    `value` is the total value over the rows; `acted` of `rows` are acted upon. The curve holds at most 200 pairs of
    threshold (ascending) and total value, the chosen one among them.
    """

    threshold: float
    value: Estimate
    acted: int
    rows: int
    curve_thresholds: tuple[float, ...]
    curve_values: tuple[float, ...]


def best_threshold(
    scores: npt.ArrayLike,
    value_if_act: npt.ArrayLike,
    value_if_not: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> BestThreshold:
    """The threshold of the highest total value; among equals the one that acts least. Always finite.

    It lies half-way to the next lower score, so that rounding of a score changes nothing; acting on no row puts it
    just above the highest score, acting on all at the lowest.

    Raises:
        ValueError: without rows, or when a score or value is NaN or infinite (rows of unknown outcome: leave out).
    """
    score, act, rest = (
        finite("scores", scores),
        finite("value_if_act", value_if_act),
        finite("value_if_not", value_if_not),
    )
    rows = same_length(scores=score, value_if_act=act, value_if_not=rest)
    if not rows:
        raise ValueError("a threshold needs at least one row with a known value")
    thresholds, acted, totals = _cuts(score, act, rest)
    # Sums that differ by rounding alone are equal.
    slack = 1e-12 * float(np.abs(act - rest).sum())
    best = int(np.argmax(totals >= totals.max() - slack))
    chosen = float(thresholds[best])
    shown = _sampled(thresholds.size, best)
    return BestThreshold(
        threshold=chosen,
        value=total(np.where(score >= chosen, act, rest), blocks, confidence=confidence),
        acted=int(acted[best]),
        rows=rows,
        curve_thresholds=tuple(thresholds[shown].tolist()),
        curve_values=tuple(totals[shown].tolist()),
    )


def _cuts(score: Floats, act: Floats, rest: Floats) -> tuple[Floats, Floats, Floats]:
    """Each distinct cut from acting on none to acting on all: its threshold, how many are acted upon, the total."""
    levels, place, sizes = np.unique(-score, return_inverse=True, return_counts=True)
    gains = np.bincount(place, weights=act - rest)
    totals = math.fsum(rest) + np.concatenate([[0.0], np.cumsum(gains)])
    return _thresholds(-levels), np.concatenate([[0.0], np.cumsum(sizes)]), totals


def _thresholds(descending: Floats) -> Floats:
    above, below = descending[:-1], descending[1:]
    middle = below + (above - below) / 2.0
    # Between neighbouring floats there is no middle.
    inner = np.where((middle > below) & (middle <= above), middle, above)
    return np.concatenate([[np.nextafter(descending[0], np.inf)], inner, descending[-1:]])


def _sampled(size: int, best: int) -> npt.NDArray[np.int64]:
    """At most 200 places, evenly spread, with both ends and the best, in ascending order of threshold."""
    places = np.linspace(0, size - 1, min(size, _CURVE_POINTS - 1)).round().astype(np.int64)
    return np.unique(np.append(places, best))[::-1]

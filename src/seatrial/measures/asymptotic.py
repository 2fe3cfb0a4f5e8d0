"""Asymptotic confidence sequences and e-values for the mean of an unbounded quantity, such as money.

Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, Annals of Statistics 2024 (arXiv 2103.06476). Valid at any time after a
burn-in (100 units or more: heavy tails need more); bounds are narrowest near `tightest_at` units.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.facts.estimate import Estimate
from seatrial.measures.inputs import finite
from seatrial.measures.probability import log_normal_cdf


class Moments(msgspec.Struct, frozen=True):
    """Count, mean and sum of squared deviations of what was seen; two merge exactly (Chan, Golub & LeVeque 1979)."""

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    @property
    def deviation(self) -> float:
        """The sample standard deviation, 0 below two units."""
        return math.sqrt(self.m2 / (self.n - 1)) if self.n > 1 else 0.0


def moments(values: npt.ArrayLike) -> Moments:
    """The moments of an array of finite numbers."""
    array = finite("values", values)
    if not array.size:
        return Moments()
    mean = float(array.mean())
    return Moments(array.size, mean, float(np.sum((array - mean) ** 2)))


def merge(first: Moments, second: Moments) -> Moments:
    """The moments of both together."""
    if not (first.n and second.n):
        return first if first.n else second
    n, gap = first.n + second.n, second.mean - first.mean
    return Moments(
        n, first.mean + gap * second.n / n, first.m2 + second.m2 + gap * gap * first.n * second.n / n
    )


def two_sided(seen: Moments, *, confidence: float = 0.95, tightest_at: int = 500) -> Estimate:
    """The mean with bounds on both sides; no bounds below two units."""
    alpha = 1.0 - confidence
    if seen.n < 2:
        return _bare(seen, confidence)
    mass = seen.n * _spread(alpha, tightest_at)
    reach = math.sqrt(2.0 * (mass + 1.0) / (seen.n * mass) * math.log(math.sqrt(mass + 1.0) / alpha))
    reach *= seen.deviation
    return msgspec.structs.replace(_bare(seen, confidence), lower=seen.mean - reach, upper=seen.mean + reach)


def lower_bound(seen: Moments, *, confidence: float = 0.95, tightest_at: int = 500) -> Estimate:
    """The mean with a lower bound only (`upper` is None); no bound below two units."""
    if seen.n < 2:
        return _bare(seen, confidence)
    return msgspec.structs.replace(
        _bare(seen, confidence), lower=seen.mean - _one_sided_reach(seen, confidence, tightest_at)
    )


def upper_bound(seen: Moments, *, confidence: float = 0.95, tightest_at: int = 500) -> Estimate:
    """The mean with an upper bound only (`lower` is None); no bound below two units."""
    if seen.n < 2:
        return _bare(seen, confidence)
    return msgspec.structs.replace(
        _bare(seen, confidence), upper=seen.mean + _one_sided_reach(seen, confidence, tightest_at)
    )


def log_e_value(
    seen: Moments, null_mean: float, *, confidence: float = 0.95, tightest_at: int = 500
) -> float:
    """The log e-value against "the mean is `null_mean`": normal mixture, two-sided; 0 below two units.

    `confidence` and `tightest_at` only choose the mixture, as in `two_sided`.
    """
    score, mass = _score(seen, null_mean), seen.n * _spread(1.0 - confidence, tightest_at)
    if score is None:
        return 0.0
    return mass * score * score / (2.0 * (mass + 1.0)) - 0.5 * math.log1p(mass)


def log_e_value_above(
    seen: Moments, null_mean: float, *, confidence: float = 0.95, tightest_at: int = 500
) -> float:
    """The log e-value against "the mean is at most `null_mean`": half-normal mixture; 0 below two units."""
    alpha = 1.0 - confidence
    score, mass = _score(seen, null_mean), seen.n * _spread(2.0 * alpha, tightest_at)
    if score is None:
        return 0.0
    tilt = score * math.sqrt(mass / (mass + 1.0))
    return math.log(2.0) + 0.5 * tilt * tilt - 0.5 * math.log1p(mass) + log_normal_cdf(tilt)


def _spread(alpha: float, tightest_at: int) -> float:
    """The squared mixture scale that makes the bounds tightest after `tightest_at` units."""
    doubled = -2.0 * math.log(min(alpha, 0.999))
    return (doubled + math.log(doubled + 1.0)) / tightest_at


def _one_sided_reach(seen: Moments, confidence: float, tightest_at: int) -> float:
    alpha = 1.0 - confidence
    mass = seen.n * _spread(2.0 * alpha, tightest_at)
    log = math.log1p(math.sqrt(mass + 1.0) / (2.0 * alpha))
    return seen.deviation * math.sqrt(2.0 * (mass + 1.0) / (seen.n * mass) * log)


def _score(seen: Moments, null_mean: float) -> float | None:
    """The z score sqrt(n) (mean - null) / s, None when it is not defined."""
    if seen.n < 2 or seen.deviation == 0.0:
        return None
    return math.sqrt(seen.n) * (seen.mean - null_mean) / seen.deviation


def _bare(seen: Moments, confidence: float) -> Estimate:
    value = seen.mean if seen.n else None
    return Estimate(value=value, n=seen.n, confidence=confidence, method="asymptotic confidence sequence")

"""Estimates from a value and its standard error, or from counted successes."""

import math

from seatrial.facts.estimate import Estimate
from seatrial.measures.probability import normal_quantile, student_quantile

WHOLE_LINE = (-math.inf, math.inf)
UNIT = (0.0, 1.0)


def student(
    value: float,
    error: float,
    units: int,
    *,
    confidence: float = 0.95,
    method: str,
    within: tuple[float, float] = WHOLE_LINE,
) -> Estimate:
    """`value` -+ t * `error` with `units` - 1 degrees of freedom; no bounds below two units.

    `within` cuts the bounds to where the quantity can lie.
    """
    if units < 2:
        return Estimate(value=value, n=units, confidence=confidence, method=method)
    reach = student_quantile(0.5 + confidence / 2.0, units - 1) * error
    return _cut(value, reach, units, confidence, method, within)


def normal(
    value: float,
    error: float,
    units: int,
    *,
    confidence: float = 0.95,
    method: str,
    within: tuple[float, float] = WHOLE_LINE,
) -> Estimate:
    """`value` -+ z * `error`; no bounds below two units."""
    if units < 2:
        return Estimate(value=value, n=units, confidence=confidence, method=method)
    reach = normal_quantile(0.5 + confidence / 2.0) * error
    return _cut(value, reach, units, confidence, method, within)


def wilson(successes: float, trials: int, *, confidence: float = 0.95) -> Estimate:
    """The share `successes` / `trials` with Wilson's score interval (Wilson, JASA 1927); no value for no trials."""
    method = "Wilson score interval"
    if trials == 0:
        return unknown(confidence=confidence, method=method)
    share = successes / trials
    z2 = normal_quantile(0.5 + confidence / 2.0) ** 2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials * trials))) / (1 + z2 / trials)
    # Rounding may put a bound past a share of exactly 0 or 1.
    lower, upper = min(share, max(0.0, centre - reach)), max(share, min(1.0, centre + reach))
    return Estimate(value=share, lower=lower, upper=upper, n=trials, confidence=confidence, method=method)


def unknown(*, confidence: float = 0.95, method: str, units: int = 0) -> Estimate:
    """An estimate without a value: there is nothing to compute it from."""
    return Estimate(value=None, n=units, confidence=confidence, method=method)


def _cut(
    value: float, reach: float, units: int, confidence: float, method: str, within: tuple[float, float]
) -> Estimate:
    lower, upper = max(within[0], value - reach), min(within[1], value + reach)
    return Estimate(value=value, lower=lower, upper=upper, n=units, confidence=confidence, method=method)

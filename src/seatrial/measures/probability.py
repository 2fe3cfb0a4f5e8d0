"""Tails and quantiles of the normal, Student's t and chi-square laws, without SciPy.

Series and continued fractions of the incomplete gamma and beta functions: Abramowitz & Stegun 6.5.29, 6.5.31,
26.5.8; evaluated by Lentz's method (Lentz 1976; Thompson & Barnett 1986).
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist

_STANDARD_NORMAL = NormalDist()
_TINY = 1e-300
_PRECISION = 1e-15
_MAX_TERMS = 100_000


def normal_quantile(probability: float) -> float:
    """The standard normal quantile; `probability` in (0, 1)."""
    return _STANDARD_NORMAL.inv_cdf(probability)


def log_normal_cdf(x: float) -> float:
    """The logarithm of the standard normal distribution function, also far in the lower tail."""
    if x > -30.0:
        return math.log(0.5 * math.erfc(-x / math.sqrt(2.0)))
    # Mills' ratio (Abramowitz & Stegun 26.2.12): erfc underflows here.
    inverse = 1.0 / (x * x)
    series = math.log1p(-inverse * (1.0 - 3.0 * inverse * (1.0 - 5.0 * inverse)))
    return -0.5 * x * x - math.log(-x * math.sqrt(2.0 * math.pi)) + series


def chi_square_tail(x: float, degrees: float) -> float:
    """P(X >= x) for a chi-square variable with `degrees` > 0 degrees of freedom."""
    if x <= 0.0:
        return 1.0
    return _upper_gamma(degrees / 2.0, x / 2.0)


def student_tail(t: float, degrees: float) -> float:
    """P(T >= t) for a Student variable with `degrees` > 0 degrees of freedom."""
    half = 0.5 * _incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
    return half if t >= 0.0 else 1.0 - half


@lru_cache(maxsize=4096)
def student_quantile(probability: float, degrees: float) -> float:
    """Student's quantile for `probability` in (0, 1), by bisection, to 12 digits."""
    if probability < 0.5:
        return -student_quantile(1.0 - probability, degrees)
    tail = 1.0 - probability
    low, high = 0.0, 1.0
    while student_tail(high, degrees) > tail:
        low, high = high, 2.0 * high
    while high - low > 1e-12 * max(1.0, high):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if student_tail(middle, degrees) > tail else (low, middle)
    return 0.5 * (low + high)


def _upper_gamma(a: float, x: float) -> float:
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        return 1.0 - scale * _gamma_series(a, x)
    fractions = ((-i * (i - a), x + 2.0 * i + 1.0 - a) for i in range(1, _MAX_TERMS))
    return scale / _continued_fraction(x + 1.0 - a, fractions)


def _gamma_series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for i in range(1, _MAX_TERMS):
        term *= x / (a + i)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _incomplete_beta(a: float, b: float, x: float) -> float:
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _incomplete_beta(b, a, 1.0 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / (a * _continued_fraction(1.0, _beta_fractions(a, b, x)))


def _beta_fractions(a: float, b: float, x: float) -> Iterator[tuple[float, float]]:
    for m in range(_MAX_TERMS):
        if m:
            yield m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)), 1.0
        yield -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)), 1.0


def _continued_fraction(first: float, fractions: Iterator[tuple[float, float]]) -> float:
    """`first` + a1/(b1 + a2/(b2 + ...)) by Lentz's method."""
    value = first or _TINY
    c, d = value, 0.0
    for numerator, denominator in fractions:
        d = 1.0 / (denominator + numerator * d or _TINY)
        c = denominator + numerator / c or _TINY
        value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return value

"""Bets against "the mean is at most m": increments 1 + l (x - m) with expectation at most 1 when it is.

Eight fixed bets, uniformly mixed, instead of one tuned bet: an average of test martingales is a test martingale, and
the best of the eight loses only log 8 of evidence. Waudby-Smith & Ramdas, JRSS-B 86(1), 2024 (arXiv 2010.09686).
"""

import math

import numpy as np

BETS = 8


def mixture(null_mean: float) -> tuple[float, ...]:
    """Eight bets between 0.02 / m and 0.9 / m, evenly spaced in the logarithm; `null_mean` m in (0, 1).

    All are below 1 / m, so that no increment falls below 0.1.
    """
    if not 0.0 < null_mean < 1.0:
        raise ValueError(f"the mean to test must lie inside (0, 1), received {null_mean!r}")
    return tuple(float(bet) for bet in np.geomspace(0.02, 0.9, BETS) / null_mean)


def log_increments(bets: tuple[float, ...], x: float, null_mean: float) -> tuple[float, ...]:
    """log(1 + l (x - m)) for each bet l; `x` in [0, 1].

    Raises:
        ValueError: when `x` is NaN or outside [0, 1], where the bound on false alarms would not hold.
    """
    if not 0.0 <= x <= 1.0:
        raise ValueError(f"expected a number in [0, 1], received {x!r}; put it on the unit scale first")
    return tuple(math.log1p(bet * (x - null_mean)) for bet in bets)


def log_mean_exp(logs: tuple[float, ...]) -> float:
    """The logarithm of the mean of exp(logs), without overflow."""
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs))

"""The e-process: a one-sided test of a bounded mean that may be looked at any time, for short trials (canaries).

Null: E[x_t | past] <= m for every t, x_t in [0, 1]. Wealth K_t = K_{t-1} (1 + l (x_t - m)), averaged over fixed bets.
Ville: P(K ever reaches 1 / a) <= a. Waudby-Smith & Ramdas, JRSS-B 86(1), 2024 (arXiv 2010.09686).

To test "at least m" instead, feed 1 - x and test 1 - m. A long healthy time eats the wealth: for models that live long
use `edetector`.
"""

import math
from collections.abc import Iterable

import msgspec

from seatrial.measures.bets import log_increments, log_mean_exp, mixture


class EProcess(msgspec.Struct, frozen=True, kw_only=True):
    """State of the test: log wealth per bet, the highest log wealth of the mixture so far, observations seen."""

    null_mean: float
    bets: tuple[float, ...]
    log_wealth: tuple[float, ...]
    peak: float = 0.0
    seen: int = 0


def start(null_mean: float) -> EProcess:
    """A test that has seen nothing of "the mean is at most `null_mean`", which lies in (0, 1)."""
    bets = mixture(null_mean)
    return EProcess(null_mean=null_mean, bets=bets, log_wealth=(0.0,) * len(bets))


def update(state: EProcess, x: float) -> EProcess:
    """The state after one more observation `x` in [0, 1].

    Raises:
        ValueError: when `x` is NaN or outside [0, 1].
    """
    logs = log_increments(state.bets, x, state.null_mean)
    wealth = tuple(before + log for before, log in zip(state.log_wealth, logs, strict=True))
    return msgspec.structs.replace(
        state, log_wealth=wealth, peak=max(state.peak, log_mean_exp(wealth)), seen=state.seen + 1
    )


def update_all(state: EProcess, values: Iterable[float]) -> EProcess:
    """The state after `values` in order: exactly what single updates give."""
    for x in values:
        state = update(state, float(x))
    return state


def log_e_value(state: EProcess) -> float:
    """The logarithm of the e-value now; 0 before the first observation."""
    return log_mean_exp(state.log_wealth)


def rejected(state: EProcess, alpha: float) -> bool:
    """Whether the null was ever refuted at level `alpha`: the e-value once reached 1 / alpha."""
    return state.peak >= -math.log(alpha)

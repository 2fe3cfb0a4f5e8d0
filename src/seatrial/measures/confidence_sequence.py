"""An interval for the mean of a bounded quantity that holds at all times at once.

Empirical-Bernstein confidence sequence with predictable plug-in bets, closed form, constant memory:
Waudby-Smith & Ramdas, JRSS-B 86(1), 2024 (arXiv 2010.09686), theorem 2. For a constant conditional mean; bounds are
intersected over time, which keeps them valid.
"""

import math
from collections.abc import Iterable

import msgspec

from seatrial.facts.estimate import Estimate

_LARGEST_BET = 0.5
_METHOD = "empirical-Bernstein confidence sequence"


class ConfidenceSequence(msgspec.Struct, frozen=True, kw_only=True):
    """State of the sequence: running sums, the plug-in mean and variance, and the tightest bounds so far."""

    confidence: float
    seen: int = 0
    total: float = 0.0
    squares: float = 0.0
    bet_total: float = 0.0
    bet_x_total: float = 0.0
    penalty: float = 0.0
    lower: float = 0.0
    upper: float = 1.0


def start(confidence: float = 0.95) -> ConfidenceSequence:
    """A sequence that has seen nothing: its interval is [0, 1]."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie inside (0, 1), received {confidence!r}")
    return ConfidenceSequence(confidence=confidence)


def update(state: ConfidenceSequence, x: float) -> ConfidenceSequence:
    """The state after one more observation `x` in [0, 1].

    Raises:
        ValueError: when `x` is NaN or outside [0, 1].
    """
    if not 0.0 <= x <= 1.0:
        raise ValueError(f"expected a number in [0, 1], received {x!r}; put it on the unit scale first")
    seen = state.seen + 1
    bet = _bet(state, seen)
    bet_total, bet_x_total = state.bet_total + bet, state.bet_x_total + bet * x
    penalty = state.penalty + (x - _plug_in_mean(state)) ** 2 * (-math.log1p(-bet) - bet)
    centre, reach = bet_x_total / bet_total, (_log_level(state) + penalty) / bet_total
    total = state.total + x
    return msgspec.structs.replace(
        state,
        seen=seen,
        total=total,
        squares=state.squares + (x - (0.5 + total) / (seen + 1)) ** 2,
        bet_total=bet_total,
        bet_x_total=bet_x_total,
        penalty=penalty,
        lower=max(state.lower, centre - reach),
        upper=min(state.upper, centre + reach),
    )


def update_all(state: ConfidenceSequence, values: Iterable[float]) -> ConfidenceSequence:
    """The state after `values` in order: exactly what single updates give."""
    for x in values:
        state = update(state, float(x))
    return state


def interval(state: ConfidenceSequence) -> Estimate:
    """The mean so far with bounds that hold at all times together; no value before the first observation."""
    if state.seen == 0:
        return Estimate(value=None, lower=0.0, upper=1.0, confidence=state.confidence, method=_METHOD)
    if state.lower > state.upper:
        # The mean moved: no single mean explains all that was seen.
        return Estimate(
            value=state.total / state.seen,
            n=state.seen,
            confidence=state.confidence,
            method=f"{_METHOD}: mean moved",
        )
    return Estimate(
        value=min(max(state.total / state.seen, state.lower), state.upper),
        lower=state.lower,
        upper=state.upper,
        n=state.seen,
        confidence=state.confidence,
        method=_METHOD,
    )


def _bet(state: ConfidenceSequence, t: int) -> float:
    variance = (0.25 + state.squares) / (state.seen + 1)
    return min(_LARGEST_BET, math.sqrt(2.0 * _log_level(state) / (variance * t * math.log1p(t))))


def _plug_in_mean(state: ConfidenceSequence) -> float:
    return (0.5 + state.total) / (state.seen + 1)


def _log_level(state: ConfidenceSequence) -> float:
    return math.log(2.0 / (1.0 - state.confidence))

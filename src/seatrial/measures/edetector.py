"""The e-detector: when did the mean of a bounded quantity rise above what is tolerated, with bounded false alarms.

Null: E[x_t | past] <= m for every t, x_t in [0, 1]. Per bet, Shiryaev-Roberts M_t = L_t (M_{t-1} + 1) and
CUSUM C_t = L_t max(C_{t-1}, 1); over bets the mean. Shin, Ramdas & Rinaldo, NEJSDS 2024 (arXiv 2203.03532).

E[M_N] <= E[N] under the null for every stopping time N. So with alarms at M >= c: the mean time to a false alarm is at
least c, P(any within T) <= T / c, and, restarted after each, the expected number within T is at most T / c.

One increment per unit of dependence: rows that share shocks (a day, a store) enter as their mean
(`blocks.block_means`), or the bound is lost.
"""

import math
from collections.abc import Iterable

import msgspec

from seatrial.measures.bets import log_increments, log_mean_exp, mixture


class EDetector(msgspec.Struct, frozen=True, kw_only=True):
    """State of the detector: constant in size, and plain numbers, so that it can be stored as JSON.

    Per bet: `log_sr` is log(M + 1), `log_cusum` is log max(C, 1), both >= 0; `run_start` is the index of the
    observation at which the current CUSUM run began, -1 while there is none. `seen` counts observations.
    """

    null_mean: float
    bets: tuple[float, ...]
    log_sr: tuple[float, ...]
    log_cusum: tuple[float, ...]
    run_start: tuple[int, ...]
    seen: int = 0


def start(null_mean: float) -> EDetector:
    """A detector that has seen nothing; `null_mean` in (0, 1) is the highest tolerated mean."""
    bets = mixture(null_mean)
    zeros = (0.0,) * len(bets)
    return EDetector(
        null_mean=null_mean, bets=bets, log_sr=zeros, log_cusum=zeros, run_start=(-1,) * len(bets)
    )


def update(state: EDetector, x: float) -> EDetector:
    """The state after one more observation `x` in [0, 1].

    Raises:
        ValueError: when `x` is NaN or outside [0, 1].
    """
    logs = log_increments(state.bets, x, state.null_mean)
    runs = zip(logs, state.log_cusum, state.run_start, strict=True)
    cusum = [_cusum(log, before, begun, state.seen) for log, before, begun in runs]
    return msgspec.structs.replace(
        state,
        log_sr=tuple(_log1p_exp(log + before) for log, before in zip(logs, state.log_sr, strict=True)),
        log_cusum=tuple(height for height, _ in cusum),
        run_start=tuple(begun for _, begun in cusum),
        seen=state.seen + 1,
    )


def update_all(state: EDetector, values: Iterable[float]) -> EDetector:
    """The state after `values` in order: exactly what single updates give."""
    for x in values:
        state = update(state, float(x))
    return state


def first_alarm(state: EDetector, values: Iterable[float], threshold: float) -> tuple[EDetector, int | None]:
    """The state at the first alarm and the position of the value that raised it.

    Without an alarm: the state after all values, and None.
    """
    for position, x in enumerate(values):
        state = update(state, float(x))
        if alarm(state, threshold):
            return state, position
    return state, None


def log_evidence(state: EDetector) -> float:
    """The logarithm of M, averaged over bets; minus infinity before the first observation."""
    logs = log_mean_exp(state.log_sr)
    return math.log(math.expm1(logs)) if 0.0 < logs < 30.0 else (logs or -math.inf)


def alarm(state: EDetector, threshold: float) -> bool:
    """Whether the evidence has reached `threshold` (see `threshold_for`)."""
    return log_evidence(state) >= math.log(threshold)


def began(state: EDetector) -> int | None:
    """The index (0 = first observation) at which the excess most likely began, None when there is none now.

    It is where the CUSUM run of the bet with the most evidence started: the start that maximises the evidence.
    """
    best = max(range(len(state.bets)), key=lambda k: state.log_cusum[k])
    return state.run_start[best] if state.log_cusum[best] > 0.0 else None


def restart(state: EDetector) -> EDetector:
    """A fresh detector for the same tolerance, for after an alarm has been dealt with."""
    return start(state.null_mean)


def threshold_for(budget: float, blocks: float, monitors: int = 1) -> float:
    """The threshold at which at most `budget` false alarms are expected per `blocks` observations.

    T / delta: "1 per year" on daily blocks is `threshold_for(1, 365)`. `monitors` shares the budget among as many
    detectors. Never below 1.

    Raises:
        ValueError: when an argument is not positive.
    """
    if not (budget > 0.0 and blocks > 0.0 and monitors > 0):
        raise ValueError(
            f"expected positive numbers, received budget={budget}, blocks={blocks}, monitors={monitors}"
        )
    return max(1.0, blocks * monitors / budget)


def _cusum(log: float, before: float, begun: int, index: int) -> tuple[float, int]:
    height = log + before
    if height <= 0.0:
        return 0.0, -1
    return height, index if before == 0.0 else begun


def _log1p_exp(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0.0 else math.log1p(math.exp(x))

"""What one release says to rows: score, decision, and the fallback where there is no decision."""

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seatrial.errors import ModelFailed
from seatrial.ports.runtime import Inputs
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.mishaps import loggable
from seatrial.serve.sheets import Sheet, taken

Score = Callable[[Inputs], npt.NDArray[np.float64]]
NOT_A_NUMBER = "score is not a number"
UNDECIDED = "decision is unknown"
HOW = {
    "refused": "model failed",
    "gone": "model process failed",
    "starting": "model is starting",
    "busy": "model too slow",
}
# Enough to find two rows among a thousand by halves; a model that fails on every row must not be asked for ever.
_CALLS_APART = 64
_log = logging.getLogger(__name__)


class NoScoresError(Exception):
    """The scorer was not asked, or did not answer; the message says why in few words that can be counted.

    `passing` as in `Verdicts`.
    """

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        self.passing = passing
        super().__init__(reason)


class _Failure(NamedTuple):
    """Why there are no scores; `by_rows` when a part of the rows may have some."""

    reason: str
    passing: bool = False
    by_rows: bool = False


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One entry per row. Where `fallbacks` has a reason, the score is None and the decision the baseline's.

    `failure` is the reason why no row at all has a score; None when some has one. It is `passing` when it tells nothing
    of the next call: the model was not asked, or its process is being started again.
    """

    scores: Sequence[float | None]
    decisions: Sequence[bool]
    fallbacks: Sequence[str | None]
    failure: str | None
    passing: bool = False


def judged(loaded: LoadedRelease, sheet: Sheet, score: Score) -> Verdicts:
    """The release's verdicts on the rows: one per row, whatever the scorer does.

    Where a call over several rows fails because of some of them, these alone have no score.
    """
    scores, failure = _scores(loaded, sheet, score)
    if failure is None:
        return _decided(loaded, sheet, scores)
    if not failure.by_rows or sheet.rows == 1:
        return unjudged(sheet, failure.reason, passing=failure.passing)
    reasons: list[str | None] = [failure.reason] * sheet.rows
    scores = _apart(loaded, sheet, score, reasons)
    if not any(map(math.isfinite, scores)):
        return unjudged(sheet, failure.reason)
    return _decided(loaded, sheet, scores, reasons)


def _decided(
    loaded: LoadedRelease, sheet: Sheet, scores: list[float], known: Sequence[str | None] | None = None
) -> Verdicts:
    """Verdicts of scores; `known` are the reasons of those that are missing."""
    decisions = sheet.decide(scores, loaded.threshold)
    if None not in decisions and all(map(math.isfinite, scores)):
        return Verdicts(scores, decisions, [None] * sheet.rows, None)  # type: ignore[arg-type]  # none is None
    reasons = [_reason(*pair) for pair in zip(scores, decisions, strict=True)]
    if known is not None:
        reasons = [first or second for first, second in zip(known, reasons, strict=True)]
    return Verdicts(
        scores=[None if reason else score for score, reason in zip(scores, reasons, strict=True)],
        decisions=[
            usual if decision is None or reason else decision
            for decision, usual, reason in zip(decisions, sheet.baselines, reasons, strict=True)
        ],
        fallbacks=reasons,
        failure=None,
    )


def unjudged(sheet: Sheet, reason: str, *, passing: bool = False) -> Verdicts:
    """Verdicts of a release that has no score for any row: the fallback's."""
    return Verdicts([None] * sheet.rows, sheet.baselines, [reason] * sheet.rows, reason, passing)


def _apart(loaded: LoadedRelease, sheet: Sheet, score: Score, reasons: list[str | None]) -> list[float]:
    """Scores of rows that are asked by halves, and halves of those that fail; where there is one, no reason is left."""
    scores = [math.nan] * sheet.rows
    waiting = deque(_halves(range(sheet.rows)))
    for _ in range(_CALLS_APART):
        if not waiting:
            break
        places = waiting.popleft()
        found, failure = _scores(loaded, taken(sheet, places), score, told=True)
        if found:
            for at, value in zip(places, found, strict=True):
                scores[at], reasons[at] = value, None
        elif failure is None or not failure.by_rows:
            break  # the model is gone, or time is up
        elif len(places) == 1:
            reasons[places.start] = failure.reason
        else:
            waiting.extend(_halves(places))
    return scores


def _halves(places: range) -> tuple[range, range]:
    middle = len(places) // 2
    return places[:middle], places[middle:]


def _reason(score: float, decision: bool | None) -> str | None:
    if not math.isfinite(score):
        return NOT_A_NUMBER
    return UNDECIDED if decision is None else None


def _scores(
    loaded: LoadedRelease, sheet: Sheet, score: Score, *, told: bool = False
) -> tuple[list[float], _Failure | None]:
    """The scores, or why there are none, which is logged unless the log was `told` already."""
    try:
        scores = np.asarray(score(sheet.inputs), dtype=np.float64)
    except NoScoresError as error:
        return [], _Failure(str(error), error.passing)
    except ModelFailed as error:
        if error.how == "refused" and not told:  # a process that ended is told once, by who started it
            _log.error("the model of release %s: %s", loaded.id, loggable(error, loaded.product))
        return [], _Failure(HOW[error.how], passing=error.how != "refused", by_rows=error.how == "refused")
    except Exception as error:  # noqa: BLE001 - whatever a model raises, its rows are answered
        if not told:
            found = loggable(error, loaded.product)
            _log.error("the model of release %s raised", loaded.id, exc_info=found)
        return [], _Failure(f"model raised {type(error).__name__}", by_rows=True)
    if scores.shape != (sheet.rows,):
        if not told:
            _log.error(
                "the model of release %s: scores of shape %s for %d rows", loaded.id, scores.shape, sheet.rows
            )
        return [], _Failure("model gave another number of scores")
    values = scores.tolist()
    if any(map(math.isfinite, values)) or not values:
        return values, None
    return values, _Failure(NOT_A_NUMBER)

"""What one release says to rows: score, decision, baseline, and the fallback where there is no decision."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.serve.frames import Sheet
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.mishaps import loggable

Inputs = Mapping[str, npt.NDArray[Any]]
Score = Callable[[Inputs], npt.NDArray[np.float64]]
NOT_A_NUMBER = "score is not a number"
UNDECIDED = "decision is unknown"
_log = logging.getLogger(__name__)


class NoScoresError(Exception):
    """The scorer was not asked, or did not answer; the message says why in few words that can be counted."""


@dataclass(frozen=True)
class Verdicts:
    """One entry per row. Where `fallbacks` has a reason, the score is None and the decision the baseline's.

    `failure` is the reason why no row at all has a score; None when some has one.
    """

    features: list[dict[str, Any]]
    matured_at: list[datetime | None]
    scores: list[float | None]
    decisions: list[bool]
    baselines: list[bool]
    fallbacks: list[str | None]
    failure: str | None


def judged(loaded: LoadedRelease, sheet: Sheet, score: Score) -> Verdicts:
    """The release's verdicts on the rows: one per row, whatever the scorer does."""
    rows = sheet.frame.height
    scores, failure = _scores(loaded, sheet, score)
    decisions: list[bool | None] = [None] * rows
    reasons: list[str | None] = [failure] * rows
    if failure is None:
        series = pl.Series("score", scores, dtype=pl.Float64)
        decisions = loaded.product.decide(sheet.frame, series, loaded.threshold).to_list()
        reasons = [_reason(*pair) for pair in zip(scores, decisions, strict=True)]
    return Verdicts(
        features=sheet.columns,
        matured_at=sheet.matured_at,
        scores=[None if reason else score for score, reason in zip(scores, reasons, strict=True)],
        decisions=[
            usual if decision is None else decision
            for decision, usual in zip(decisions, sheet.baselines, strict=True)
        ],
        baselines=sheet.baselines,
        fallbacks=reasons,
        failure=failure,
    )


def unjudged(sheet: Sheet, reason: str) -> Verdicts:
    """Verdicts of a release that could not even read the rows: the fallback's, as another release's sheet has it."""
    rows = sheet.frame.height
    return Verdicts(
        features=[{} for _ in range(rows)],
        matured_at=sheet.matured_at,
        scores=[None] * rows,
        decisions=sheet.baselines,
        baselines=sheet.baselines,
        fallbacks=[reason] * rows,
        failure=reason,
    )


def _reason(score: float, decision: bool | None) -> str | None:
    if not math.isfinite(score):
        return NOT_A_NUMBER
    return UNDECIDED if decision is None else None


def _scores(loaded: LoadedRelease, sheet: Sheet, score: Score) -> tuple[list[float], str | None]:
    rows = sheet.frame.height
    try:
        scores = np.asarray(score(sheet.inputs), dtype=np.float64)
    except NoScoresError as error:
        return [math.nan] * rows, str(error)
    except Exception as error:  # noqa: BLE001 - whatever a model raises, its rows are answered
        found = loggable(error, loaded.product)
        _log.error("the model of release %s raised", loaded.id, exc_info=found)
        return [math.nan] * rows, f"model raised {type(error).__name__}"
    if scores.shape != (rows,):
        _log.error("the model of release %s: scores of shape %s for %d rows", loaded.id, scores.shape, rows)
        return [math.nan] * rows, "model gave another number of scores"
    return scores.tolist(), NOT_A_NUMBER if rows and not np.isfinite(scores).any() else None

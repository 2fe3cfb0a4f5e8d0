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

from seatrial.product.features import encode
from seatrial.product.product import MATURED_AT
from seatrial.serve.loaded import LoadedRelease

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


def judged(loaded: LoadedRelease, frame: pl.DataFrame, score: Score) -> Verdicts:
    """The release's verdicts on the rows of `serve.frames.enriched`: one per row, whatever the scorer does."""
    scores, failure = _scores(loaded, frame, score)
    fallbacks: list[str | None] = [failure or _reason(score) for score in scores]
    baselines = loaded.product.baseline(frame).to_list()
    decisions: list[bool | None] = [None] * frame.height
    if failure is None:
        series = pl.Series("score", scores, dtype=pl.Float64)
        decisions = loaded.product.decide(frame, series, loaded.threshold).to_list()
        fallbacks = [
            reason or (UNDECIDED if decision is None else None)
            for reason, decision in zip(fallbacks, decisions, strict=True)
        ]
    return Verdicts(
        features=frame.select(loaded.product.columns).to_dicts(),
        matured_at=frame[MATURED_AT].to_list(),
        scores=[None if reason else score for score, reason in zip(scores, fallbacks, strict=True)],
        decisions=[
            bool(usual if reason else decision)
            for decision, usual, reason in zip(decisions, baselines, fallbacks, strict=True)
        ],
        baselines=baselines,
        fallbacks=fallbacks,
        failure=failure,
    )


def unjudged(verdicts: Verdicts, reason: str) -> Verdicts:
    """Verdicts of a release that could not even read the rows: the fallback's, as another release found it."""
    rows = len(verdicts.scores)
    return Verdicts(
        features=[{} for _ in range(rows)],
        matured_at=verdicts.matured_at,
        scores=[None] * rows,
        decisions=verdicts.baselines,
        baselines=verdicts.baselines,
        fallbacks=[reason] * rows,
        failure=reason,
    )


def _reason(score: float) -> str | None:
    return None if math.isfinite(score) else NOT_A_NUMBER


def _scores(loaded: LoadedRelease, frame: pl.DataFrame, score: Score) -> tuple[list[float], str | None]:
    try:
        scores = np.asarray(score(encode(frame, loaded.product.features)), dtype=np.float64)
    except NoScoresError as error:
        return [math.nan] * frame.height, str(error)
    except Exception as error:  # noqa: BLE001 - whatever a model raises, its rows are answered
        _log.exception("the model of release %s raised", loaded.id)
        return [math.nan] * frame.height, f"model raised {type(error).__name__}"
    if scores.shape != (frame.height,):
        _log.error("the model of release %s: %s scores for %d rows", loaded.id, scores.shape, frame.height)
        return [math.nan] * frame.height, "model gave another number of scores"
    if frame.height and not np.isfinite(scores).any():
        return scores.tolist(), NOT_A_NUMBER
    return scores.tolist(), None

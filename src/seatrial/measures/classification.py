"""What the performance of a binary classifier was, once outcomes are known.

Losses and shares by blocks (see `blocks`), shares of single rows by Wilson's interval; area under the ROC curve by
ranks with DeLong's variance (DeLong, DeLong & Clarke-Pearson, Biometrics 1988), by blocks the same components summed
per block (Obuchowski, Biometrics 1997).
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.facts.estimate import Estimate
from seatrial.measures.blocks import block_sums, mean, ratio, residual_variance
from seatrial.measures.inputs import Booleans, Floats, finite, flags, indicator, same_length, within_unit
from seatrial.measures.intervals import UNIT, normal, student, unknown, wilson
from seatrial.measures.ranks import concordance

# A float's resolution near 1: one impossible outcome costs 34.5 nats, not infinity.
_SMALLEST = 1e-15


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """The confusion counts at a threshold, and the shares that follow from them."""

    threshold: float
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    f1: Estimate


def log_losses(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    """The log loss of each row in nats, at most 34.5; `scores` are probabilities."""
    truth, score = _probable(labels, scores)
    safe = np.clip(score, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(-np.where(truth, np.log(safe), np.log1p(-safe)), dtype=np.float64)


def brier_losses(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    """The Brier loss of each row, in [0, 1]; `scores` are probabilities (Brier 1950)."""
    truth, score = _probable(labels, scores)
    return np.asarray((score - truth) ** 2, dtype=np.float64)


def log_loss(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The mean log loss in nats."""
    return mean(log_losses(labels, scores), blocks, confidence=confidence)


def brier(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The mean Brier loss, in [0, 1]."""
    return mean(brier_losses(labels, scores), blocks, confidence=confidence)


def auc(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The chance that a positive outranks a negative, ties half; any finite scores. No value with one class only.

    When the classes are separated without an error the variance is 0; Wilson's interval for as many trials as the
    rarer class has rows stands in for it.
    """
    truth, score = flags("labels", labels), finite("scores", scores)
    same_length(labels=truth, scores=score)
    method = "DeLong" if blocks is None else "DeLong by blocks"
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not (positives and negatives):
        return unknown(confidence=confidence, method=method, units=truth.size)
    ranked = concordance(score, indicator(truth), indicator(~truth))
    component = np.where(truth, ranked.below / negatives, ranked.above / positives)
    value = float(component[truth].mean())
    error, units = _auc_error(component - value, truth, blocks)
    if error == 0.0 and value in (0.0, 1.0):
        rarer = min(positives, negatives)
        return msgspec.structs.replace(wilson(value * rarer, rarer, confidence=confidence), n=units)
    if blocks is None:
        return normal(value, error, units, confidence=confidence, method=method, within=UNIT)
    return student(value, error, units, confidence=confidence, method=method, within=UNIT)


def confusion(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Confusion:
    """Counts and shares when a row is decided positive for `scores` >= `threshold`."""
    truth, score = flags("labels", labels), finite("scores", scores)
    same_length(labels=truth, scores=score)
    acted = score >= threshold
    hits, right = truth & acted, truth == acted

    def part(of: Booleans, among: Booleans) -> Estimate:
        return _share(of & among, among, blocks, confidence)

    return Confusion(
        threshold=threshold,
        true_positive=int(hits.sum()),
        false_positive=int((acted & ~truth).sum()),
        false_negative=int((truth & ~acted).sum()),
        true_negative=int((~truth & ~acted).sum()),
        accuracy=part(right, np.ones_like(truth)),
        precision=part(truth, acted),
        recall=part(acted, truth),
        specificity=part(~acted, ~truth),
        f1=ratio(
            2.0 * indicator(hits),
            indicator(truth) + indicator(acted),
            blocks,
            confidence=confidence,
            within=UNIT,
        ),
    )


def _share(of: Booleans, among: Booleans, blocks: npt.ArrayLike | None, confidence: float) -> Estimate:
    if blocks is None:
        return wilson(int(of.sum()), int(among.sum()), confidence=confidence)
    return ratio(indicator(of), indicator(among), blocks, confidence=confidence, within=UNIT)


def _auc_error(deviation: Floats, truth: Booleans, blocks: npt.ArrayLike | None) -> tuple[float, int]:
    positives, negatives = deviation[truth], deviation[~truth]
    if blocks is not None:
        sums = block_sums(deviation / np.where(truth, positives.size, negatives.size), blocks)
        return math.sqrt(residual_variance(sums)), sums.size
    parts = (float(np.sum(part**2)) / (part.size * max(1, part.size - 1)) for part in (positives, negatives))
    return math.sqrt(sum(parts)), deviation.size


def _probable(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Booleans, Floats]:
    truth, score = flags("labels", labels), within_unit("scores", scores)
    same_length(labels=truth, scores=score)
    return truth, score

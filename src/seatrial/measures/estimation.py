"""What performance and value will have been, before any outcome is known, from calibrated probabilities.

Confidence-based performance estimation: each row counts as positive with its probability p, so every confusion cell is
a sum over rows. Kivimaki et al., JAIR 2025 (arXiv 2407.08649). The band adds what the unknown outcomes vary
(Poisson-binomial, p (1 - p) per row) to what another sample of rows would vary. It holds as far as p is calibrated on
these rows: it cannot see concept drift (`gap` does), and the error of the calibration map itself is not in it.

Every measure is a ratio of sums, (a1 y + a0) over (b1 y + b0), linear in the outcome y of a row.
"""

import math

import numpy as np
import numpy.typing as npt

from seatrial.facts.estimate import Estimate
from seatrial.measures.blocks import block_sums, residual_variance
from seatrial.measures.inputs import Booleans, Floats, finite, flags, indicator, same_length, within_unit
from seatrial.measures.intervals import UNIT, WHOLE_LINE, student, unknown
from seatrial.measures.ranks import Concordance, concordance

_METHOD = "estimated without outcomes (CBPE)"
# Matches `classification`: a loss beyond this probability says more about rounding than about the model.
_SMALLEST = 1e-15


def accuracy(
    p: npt.ArrayLike,
    decisions: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected share of right decisions; `p` calibrated, `decisions` true where positive was predicted."""
    chance, acted = _rows(p, decisions)
    ones, sign = np.ones_like(chance), 2.0 * indicator(acted) - 1.0
    return _ratio(chance, (sign, indicator(~acted)), (0.0 * ones, ones), blocks, confidence, UNIT)


def precision(
    p: npt.ArrayLike,
    decisions: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected share of positives among those decided positive; no value when none was."""
    chance, acted = _rows(p, decisions)
    hit, none = indicator(acted), np.zeros_like(chance)
    return _ratio(chance, (hit, none), (none, hit), blocks, confidence, UNIT)


def recall(
    p: npt.ArrayLike,
    decisions: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected share of positives that were decided positive; no value when no row can be positive."""
    chance, acted = _rows(p, decisions)
    hit, none = indicator(acted), np.zeros_like(chance)
    return _ratio(chance, (hit, none), (np.ones_like(chance), none), blocks, confidence, UNIT)


def f1(
    p: npt.ArrayLike,
    decisions: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected F1: twice the true positives over decided positives plus positives."""
    chance, acted = _rows(p, decisions)
    hit = indicator(acted)
    return _ratio(chance, (2.0 * hit, 0.0 * hit), (np.ones_like(chance), hit), blocks, confidence, UNIT)


def log_loss(
    p: npt.ArrayLike,
    scores: npt.ArrayLike | None = None,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected log loss in nats of `scores` (default: `p` itself) when outcomes follow `p`."""
    chance, score = _pair(p, scores)
    safe = np.clip(score, _SMALLEST, 1.0 - _SMALLEST)
    positive, negative = -np.log(safe), -np.log1p(-safe)
    return _mean(chance, positive, negative, blocks, confidence, (0.0, math.inf))


def brier(
    p: npt.ArrayLike,
    scores: npt.ArrayLike | None = None,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected Brier loss in [0, 1] of `scores` (default: `p` itself) when outcomes follow `p`."""
    chance, score = _pair(p, scores)
    return _mean(chance, (1.0 - score) ** 2, score**2, blocks, confidence, UNIT)


def brier_rows(p: npt.ArrayLike, scores: npt.ArrayLike | None = None) -> Floats:
    """The expected Brier loss of each row: what `gap` compares with the realised loss."""
    chance, score = _pair(p, scores)
    return np.asarray(chance * (1.0 - score) ** 2 + (1.0 - chance) * score**2, dtype=np.float64)


def auc(
    p: npt.ArrayLike,
    scores: npt.ArrayLike | None = None,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected area under the ROC curve of `scores` (default: `p` itself): ties count half, no row meets itself.

    The band linearises the ratio of pairs (Hajek projection). No value when only one class is possible.
    """
    chance, score = _pair(p, scores)
    ranked = concordance(score, chance, 1.0 - chance)
    itself = chance * (1.0 - chance)
    pairs = float(chance.sum() * (1.0 - chance).sum() - itself.sum())
    if chance.size < 2 or pairs <= 0.0:
        return unknown(confidence=confidence, method=_METHOD)
    value = float(np.sum(chance * ranked.below) - 0.5 * itself.sum()) / pairs
    return _auc_band(chance, ranked, min(1.0, max(0.0, value)), pairs, blocks, confidence)


def expected_value(
    p: npt.ArrayLike,
    if_positive: npt.ArrayLike,
    if_negative: npt.ArrayLike,
    blocks: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The expected value per decision, in the unit of the values.

    `if_positive` and `if_negative` say, per row, what the decision taken is worth under either outcome.
    """
    chance, positive, negative = (
        within_unit("p", p),
        finite("if_positive", if_positive),
        finite("if_negative", if_negative),
    )
    same_length(p=chance, if_positive=positive, if_negative=negative)
    return _mean(chance, positive, negative, blocks, confidence, WHOLE_LINE)


def _mean(
    chance: Floats,
    positive: Floats,
    negative: Floats,
    blocks: npt.ArrayLike | None,
    confidence: float,
    within: tuple[float, float],
) -> Estimate:
    ones = np.ones_like(chance)
    return _ratio(chance, (positive - negative, negative), (0.0 * ones, ones), blocks, confidence, within)


def _ratio(
    chance: Floats,
    over: tuple[Floats, Floats],
    under: tuple[Floats, Floats],
    blocks: npt.ArrayLike | None,
    confidence: float,
    within: tuple[float, float],
) -> Estimate:
    """The ratio of sum(over[0] y + over[1]) to sum(under[0] y + under[1]) in expectation, with its band."""
    whole = float(np.sum(under[0] * chance + under[1]))
    if whole == 0.0:
        return unknown(confidence=confidence, method=_METHOD)
    value = float(np.sum(over[0] * chance + over[1])) / whole
    slope, offset = over[0] - value * under[0], over[1] - value * under[1]
    return _band(
        value,
        chance,
        slope=slope,
        residual=slope * chance + offset,
        whole=whole,
        blocks=blocks,
        confidence=confidence,
        within=within,
    )


def _band(
    value: float,
    chance: Floats,
    *,
    slope: Floats,
    residual: Floats,
    whole: float,
    blocks: npt.ArrayLike | None,
    confidence: float,
    within: tuple[float, float],
) -> Estimate:
    """`value` with the variance of unknown outcomes (`slope` per row) and of the sample of rows (`residual`)."""
    sums = block_sums(residual, blocks)
    outcomes = float(np.sum(slope**2 * chance * (1.0 - chance)))
    error = math.sqrt(outcomes + residual_variance(sums)) / abs(whole)
    return student(value, error, sums.size, confidence=confidence, method=_METHOD, within=within)


def _auc_band(
    chance: Floats,
    ranked: Concordance,
    value: float,
    pairs: float,
    blocks: npt.ArrayLike | None,
    confidence: float,
) -> Estimate:
    positives, negatives = float(chance.sum()), float((1.0 - chance).sum())
    as_positive = ranked.below - value * negatives
    as_negative = ranked.above - value * positives
    residual = chance * as_positive + (1.0 - chance) * as_negative
    residual = residual - residual.mean()
    return _band(
        value,
        chance,
        slope=as_positive - as_negative,
        residual=residual,
        whole=pairs,
        blocks=blocks,
        confidence=confidence,
        within=UNIT,
    )


def _rows(p: npt.ArrayLike, decisions: npt.ArrayLike) -> tuple[Floats, Booleans]:
    chance, acted = within_unit("p", p), flags("decisions", decisions)
    same_length(p=chance, decisions=acted)
    return chance, acted


def _pair(p: npt.ArrayLike, scores: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    chance = within_unit("p", p)
    score = chance if scores is None else within_unit("scores", scores)
    same_length(p=chance, scores=score)
    return chance, score

"""Scores made into probabilities, and how far they are from being so.

Isotonic regression by pooling adjacent violators (Ayer et al. 1955; Zadrozny & Elkan, KDD 2002); expected calibration
error over bins of equal size (Nguyen & O'Connor 2015); logistic recalibration (Cox, Biometrika 1958).
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.facts.estimate import Estimate
from seatrial.measures.inputs import (
    Booleans,
    Floats,
    Integers,
    finite,
    flags,
    indicator,
    same_length,
    within_unit,
)
from seatrial.measures.intervals import normal
from seatrial.measures.probability import normal_quantile


class CalibrationMap(msgspec.Struct, frozen=True):
    """A non-decreasing map from score to probability: knots, linear between, constant beyond.

    `scores` ascend strictly, `probabilities` never descend; both have one length >= 1.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]


class Recalibration(msgspec.Struct, frozen=True):
    """logit P(outcome) = intercept + slope logit(score): 0 and 1 when calibrated; a slope below 1 is overconfidence."""

    intercept: Estimate
    slope: Estimate


def fit_isotonic(scores: npt.ArrayLike, labels: npt.ArrayLike) -> CalibrationMap:
    """The map that fits best in squared error; over the fitted rows it has the mean of the labels.

    Raises:
        ValueError: without rows, with a score that is not finite, or a label other than 0 and 1.
    """
    array, truth = finite("scores", scores), flags("labels", labels)
    if not same_length(scores=array, labels=truth):
        raise ValueError("a calibration map needs at least one row")
    knots, index, weights = np.unique(array, return_inverse=True, return_counts=True)
    starts, levels = _pool(
        np.bincount(index, weights=indicator(truth)).astype(np.float64), weights.astype(np.int64)
    )
    ends = np.append(starts[1:], knots.size) - 1
    places = np.unique(np.concatenate([starts, ends]))
    heights = levels[np.searchsorted(starts, places, side="right") - 1]
    return CalibrationMap(tuple(knots[places].tolist()), tuple(heights.tolist()))


def calibrate(calibration: CalibrationMap, scores: npt.ArrayLike) -> Floats:
    """The probability of each score, in [0, 1]."""
    array = finite("scores", scores)
    return np.asarray(np.interp(array, calibration.scores, calibration.probabilities), dtype=np.float64)


def fit_if_better(scores: npt.ArrayLike, labels: npt.ArrayLike, folds: int = 5) -> CalibrationMap | None:
    """The isotonic map of all rows, or None when scores that are probabilities already are calibrated better.

    Judged by the Brier loss on rows left out; fold f holds every `folds`-th row, so no random choice is made.
    """
    array, truth = within_unit("scores", scores), flags("labels", labels)
    same_length(scores=array, labels=truth)
    if array.size < 2 * folds:
        return None
    fold = np.arange(array.size) % folds
    mapped = np.empty_like(array)
    for f in range(folds):
        mapped[fold == f] = calibrate(fit_isotonic(array[fold != f], truth[fold != f]), array[fold == f])
    better = np.sum((mapped - truth) ** 2) < np.sum((array - truth) ** 2)
    return fit_isotonic(array, truth) if better else None


def expected_calibration_error(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, bins: int = 15, confidence: float = 0.95
) -> Estimate:
    """The mean gap between probability and share of outcomes, over bins of equally many rows; in [0, 1].

    A perfect map has a positive value by chance alone: the lower bound is less that chance, so it is 0 when the gap may
    be nothing but chance. No value without rows.
    """
    p, truth = within_unit("probabilities", probabilities), flags("labels", labels)
    rows = same_length(probabilities=p, labels=truth)
    method = "equal-size bins; lower bound less the gap of chance"
    if not rows:
        return Estimate(value=None, confidence=confidence, method=method)
    place = np.empty(rows, dtype=np.int64)
    place[np.argsort(p, kind="stable")] = np.arange(rows) * min(bins, rows) // rows
    sizes = np.bincount(place)
    gaps = np.abs(np.bincount(place, weights=p - truth)) / sizes
    errors = np.sqrt(np.bincount(place, weights=p * (1.0 - p))) / sizes
    value, chance = float(np.average(gaps, weights=sizes)), float(np.average(errors, weights=sizes))
    reach = normal_quantile(0.5 + confidence / 2.0) * math.sqrt(float(np.sum((sizes / rows * errors) ** 2)))
    return Estimate(
        value=value,
        lower=max(0.0, value - math.sqrt(2.0 / math.pi) * chance - reach),
        upper=min(1.0, value + reach),
        n=rows,
        confidence=confidence,
        method=method,
    )


def recalibration(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, confidence: float = 0.95
) -> Recalibration | None:
    """The logistic recalibration of probabilities, by Newton's method.

    None when it is not determined: one class only, all probabilities equal, or classes that do not overlap.
    """
    p, truth = within_unit("probabilities", probabilities), flags("labels", labels)
    rows = same_length(probabilities=p, labels=truth)
    if not rows or truth.all() or not truth.any() or np.ptp(p) == 0.0:
        return None
    logits = _logit(p)
    fitted = _newton(np.column_stack([np.ones(rows), logits]), truth)
    if fitted is None:
        return None
    (intercept, slope), errors = fitted
    method = "logistic recalibration, Wald interval"
    return Recalibration(
        normal(float(intercept), float(errors[0]), rows, confidence=confidence, method=method),
        normal(float(slope), float(errors[1]), rows, confidence=confidence, method=method),
    )


def _pool(positives: Floats, rows: Integers) -> tuple[Integers, Floats]:
    """Where each pooled run of scores starts, and its level: the share of positives of neighbours out of order."""
    starts: list[int] = []
    sums: list[float] = []
    sizes: list[int] = []
    for place, (total, size) in enumerate(zip(positives.tolist(), rows.tolist(), strict=True)):
        starts.append(place)
        sums.append(total)
        sizes.append(size)
        # Counts, not shares, are compared: exact, so that equal shares always pool.
        while len(sums) > 1 and sums[-2] * sizes[-1] >= sums[-1] * sizes[-2]:
            starts.pop()
            sums[-2:] = [sums[-2] + sums[-1]]
            sizes[-2:] = [sizes[-2] + sizes[-1]]
    return np.array(starts, dtype=np.int64), np.array(sums) / np.array(sizes)


def _logit(p: Floats) -> Floats:
    safe = np.clip(p, 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(safe) - np.log1p(-safe), dtype=np.float64)


def _newton(design: Floats, truth: Booleans) -> tuple[Floats, Floats] | None:
    """Coefficients and standard errors, None when Newton's steps do not settle."""
    coefficients = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients, -30.0, 30.0)))
        information = design.T @ (design * (p * (1.0 - p))[:, None])
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (truth - p))
        coefficients = coefficients + step
        if np.max(np.abs(step)) < 1e-9:
            return coefficients, np.sqrt(np.diag(np.linalg.inv(information)))
    return None

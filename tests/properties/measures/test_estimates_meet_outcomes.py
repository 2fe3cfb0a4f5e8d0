"""The laws of calibration, of estimates without outcomes, and of ranks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.measures import classification, estimation
from seatrial.measures.calibration import calibrate, fit_isotonic

labelled = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60)
chances = st.lists(st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=2, max_size=6)


@given(labelled)
def test_isotonic_calibration_ascends_and_keeps_the_mean(rows: list[tuple[int, bool]]) -> None:
    scores, labels = (np.array(column) for column in zip(*rows, strict=True))

    found = fit_isotonic(scores, labels)

    assert (np.diff(found.scores) > 0).all()
    assert (np.diff(found.probabilities) >= 0).all()
    assert calibrate(found, scores).mean() == pytest.approx(labels.mean())


@given(chances, st.data())
def test_estimates_are_expectations_over_all_possible_outcomes(p: list[float], data: st.DataObject) -> None:
    acted = np.array(data.draw(st.lists(st.booleans(), min_size=len(p), max_size=len(p))))
    chance = np.array(p)
    accuracy = brier = pairs = wins = value = 0.0
    for outcome in itertools.product([0, 1], repeat=len(p)):
        y = np.array(outcome)
        weight = float(np.prod(np.where(y == 1, chance, 1 - chance)))
        accuracy += weight * float(np.mean(y == acted))
        brier += weight * float(np.mean((chance - y) ** 2))
        value += weight * float(np.mean(np.where(y == 1, 5.0, -2.0)))
        over = chance[y == 1][:, None] - chance[y == 0][None, :]
        wins += weight * float(np.sum(over > 0) + 0.5 * np.sum(over == 0))
        pairs += weight * over.size

    assert estimation.accuracy(p, acted).value == pytest.approx(accuracy)
    assert estimation.brier(p).value == pytest.approx(brier)
    assert estimation.expected_value(p, [5.0] * len(p), [-2.0] * len(p)).value == pytest.approx(value)
    if pairs > 1e-9:
        assert estimation.auc(p).value == pytest.approx(wins / pairs)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_with_certain_outcomes_the_estimate_is_the_realised_measure(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows]) / 5
    certain = labels.astype(float)
    realised = classification.confusion(labels, scores, 0.5)

    for name in ("accuracy", "precision", "recall", "f1"):
        found = getattr(estimation, name)(certain, scores >= 0.5).value
        assert found == pytest.approx(getattr(realised, name).value)
    assert estimation.auc(certain, scores).value == pytest.approx(classification.auc(labels, scores).value)
    assert estimation.brier(certain, scores).value == pytest.approx(
        classification.brier(labels, scores).value
    )


def test_bands_of_calibrated_scores_cover_what_is_realised() -> None:
    rng, runs = np.random.default_rng(50), 300
    covered = dict.fromkeys(("accuracy", "precision", "recall", "f1", "auc", "brier"), 0)
    for _ in range(runs):
        p = rng.beta(1.5, 3.0, 300)
        labels, acted = rng.random(300) < p, p >= 0.4
        realised = classification.confusion(labels, p, 0.4)
        pairs = {
            "accuracy": (estimation.accuracy(p, acted), realised.accuracy),
            "precision": (estimation.precision(p, acted), realised.precision),
            "recall": (estimation.recall(p, acted), realised.recall),
            "f1": (estimation.f1(p, acted), realised.f1),
            "auc": (estimation.auc(p), classification.auc(labels, p)),
            "brier": (estimation.brier(p), classification.brier(labels, p)),
        }
        for name, (expected, outcome) in pairs.items():
            assert expected.lower is not None
            assert expected.upper is not None
            assert outcome.value is not None
            covered[name] += expected.lower <= outcome.value <= expected.upper

    assert min(covered.values()) / runs >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / runs)


@given(st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    positives = [score for label, score in rows if label]
    negatives = [score for label, score in rows if not label]
    found = classification.auc([label for label, _ in rows], [score for _, score in rows])

    if not (positives and negatives):
        assert found.value is None
    else:
        wins = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
        assert found.value == pytest.approx(np.mean(wins))

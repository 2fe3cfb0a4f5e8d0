import math

import numpy as np
import pytest

from seatrial.measures import classification

LABELS = [1, 0, 1, 0, 1]
SCORES = [0.9, 0.8, 0.7, 0.3, 0.2]


def test_losses_are_those_of_the_formula() -> None:
    expected = [-math.log(q if y else 1 - q) for y, q in zip(LABELS, SCORES, strict=True)]

    assert classification.log_losses(LABELS, SCORES).tolist() == pytest.approx(expected)
    assert classification.log_loss(LABELS, SCORES).value == pytest.approx(np.mean(expected))
    assert classification.brier(LABELS, SCORES).value == pytest.approx((0.01 + 0.64 + 0.09 + 0.09 + 0.64) / 5)


def test_an_impossible_outcome_costs_a_finite_loss() -> None:
    assert classification.log_losses([1, 0], [0.0, 1.0]).max() == pytest.approx(34.54, abs=0.01)


def test_auc_counts_ordered_pairs_and_ties_half() -> None:
    assert classification.auc(LABELS, SCORES).value == pytest.approx(3 / 6)
    assert classification.auc([1, 0, 0], [0.5, 0.5, 0.1]).value == pytest.approx(0.75)


def test_auc_has_delongs_error() -> None:
    rng = np.random.default_rng(13)
    labels = rng.random(400) < 0.3
    scores = rng.normal(size=400) + labels
    wins = (scores[labels][:, None] > scores[~labels][None, :]).astype(float)
    variance = wins.mean(axis=1).var(ddof=1) / labels.sum() + wins.mean(axis=0).var(ddof=1) / (~labels).sum()

    estimate = classification.auc(labels, scores)

    assert estimate.value == pytest.approx(wins.mean())
    assert estimate.upper == pytest.approx(wins.mean() + 1.959964 * math.sqrt(variance))


def test_blocks_of_one_row_give_nearly_delongs_error() -> None:
    rng = np.random.default_rng(14)
    labels = rng.random(600) < 0.4
    scores = rng.normal(size=600) + labels

    plain, blocked = classification.auc(labels, scores), classification.auc(labels, scores, np.arange(600))

    assert plain.lower == pytest.approx(blocked.lower, abs=0.001)


def test_perfect_separation_is_not_certainty() -> None:
    estimate = classification.auc([1] * 5 + [0] * 100, [2.0] * 5 + [1.0] * 100)

    assert estimate.value == 1.0
    assert estimate.lower == pytest.approx(0.5655, abs=1e-3)


def test_one_class_has_no_auc() -> None:
    assert classification.auc([1, 1], [0.1, 0.2]).value is None


def test_a_confusion_counts_scores_at_the_threshold_as_positive() -> None:
    found = classification.confusion(LABELS, SCORES, 0.7)

    counts = (found.true_positive, found.false_positive, found.false_negative, found.true_negative)
    assert counts == (2, 1, 1, 1)
    shares = (found.accuracy, found.precision, found.recall, found.specificity, found.f1)
    assert [share.value for share in shares] == pytest.approx([3 / 5, 2 / 3, 2 / 3, 1 / 2, 4 / 6])
    assert found.precision.n == 3


def test_nothing_decided_positive_has_no_precision() -> None:
    assert classification.confusion(LABELS, SCORES, 2.0).precision.value is None


def test_shares_by_blocks_have_the_same_value() -> None:
    plain = classification.confusion(LABELS, SCORES, 0.7)
    blocked = classification.confusion(LABELS, SCORES, 0.7, [1, 1, 2, 2, 3])

    assert blocked.recall.value == pytest.approx(plain.recall.value)
    assert blocked.recall.n == 3

import math

import numpy as np
import pytest

from seatrial.measures import estimation

P = np.array([0.9, 0.6, 0.3, 0.2])
ACTED = np.array([True, True, False, False])


def test_shares_are_plug_ins_of_expected_counts() -> None:
    # True positives 1.5, false positives 0.5, false negatives 0.5, true negatives 1.5.
    assert estimation.accuracy(P, ACTED).value == pytest.approx(3.0 / 4.0)
    assert estimation.precision(P, ACTED).value == pytest.approx(1.5 / 2.0)
    assert estimation.recall(P, ACTED).value == pytest.approx(1.5 / 2.0)
    assert estimation.f1(P, ACTED).value == pytest.approx(2 * 1.5 / (2 * 1.5 + 0.5 + 0.5))


def test_losses_are_means_over_both_outcomes() -> None:
    entropy = -np.mean(P * np.log(P) + (1 - P) * np.log(1 - P))

    assert estimation.log_loss(P).value == pytest.approx(entropy)
    assert estimation.brier(P).value == pytest.approx(np.mean(P * (1 - P)))
    assert estimation.brier(P, [0.5] * 4).value == pytest.approx(0.25)
    assert estimation.brier_rows(P).tolist() == pytest.approx((P * (1 - P)).tolist())


def test_auc_is_the_expected_share_of_ordered_pairs() -> None:
    over, pairs = 0.0, 0.0
    for i in range(4):
        for j in range(4):
            if i != j:
                over += P[i] * (1 - P[j]) * (P[i] > P[j])
                pairs += P[i] * (1 - P[j])

    assert estimation.auc(P).value == pytest.approx(over / pairs)


def test_one_score_for_all_has_an_auc_of_a_half() -> None:
    assert estimation.auc([0.3] * 50).value == pytest.approx(0.5)


def test_the_value_of_a_decision_is_weighted_by_its_outcomes() -> None:
    estimate = estimation.expected_value([0.5, 0.2], [100.0, 0.0], [-20.0, -10.0])

    assert estimate.value == pytest.approx((40.0 - 8.0) / 2)
    assert estimate.n == 2


def test_what_cannot_be_estimated_has_no_value() -> None:
    assert estimation.precision(P, [False] * 4).value is None
    assert estimation.recall([0.0, 0.0], [True, False]).value is None
    assert estimation.auc([1.0, 1.0]).value is None
    assert estimation.accuracy([], []).value is None


def test_unknown_outcomes_widen_the_band_of_certain_rows() -> None:
    certain = estimation.accuracy([1.0, 0.0] * 50, [True, False] * 50)
    unsure = estimation.accuracy([0.5] * 100, [True, False] * 50)

    assert certain.lower == certain.upper == 1.0
    assert unsure.lower == pytest.approx(0.5 - 1.9842 * math.sqrt(0.25 / 100), abs=1e-4)


def test_blocks_are_the_units_of_the_band() -> None:
    days = np.repeat(np.arange(10), 20)
    p = np.repeat(np.linspace(0.1, 0.9, 10), 20)

    by_day, by_row = (
        estimation.brier(p, [0.5] * 200, days),
        estimation.expected_value(p, [1.0] * 200, [0.0] * 200, days),
    )

    assert by_day.n == by_row.n == 10
    assert by_row.lower is not None
    assert by_row.lower < 0.35

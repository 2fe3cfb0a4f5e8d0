import numpy as np
import pytest

from seatrial.measures.threshold import best_threshold


def test_it_acts_where_acting_pays() -> None:
    found = best_threshold([0.1, 0.4, 0.8, 0.9], [-5.0, -1.0, 2.0, 3.0], [0.0] * 4)

    assert found.threshold == pytest.approx(0.6)
    assert (found.value.value, found.acted, found.rows) == (5.0, 2, 4)


def test_where_acting_never_pays_no_score_reaches_the_threshold() -> None:
    found = best_threshold([0.2, 1.0], [-1.0, -1.0], [0.0, 0.0])

    assert found.threshold > 1.0
    assert (found.acted, found.value.value) == (0, 0.0)


def test_where_acting_always_pays_every_score_reaches_the_threshold() -> None:
    found = best_threshold([0.2, 1.0], [1.0, 1.0], [0.0, 0.0])

    assert found.threshold == 0.2
    assert found.acted == 2


def test_a_tie_is_broken_towards_acting_less() -> None:
    assert best_threshold([0.2, 0.5], [0.1, 0.7], [0.1, 0.7]).acted == 0
    assert best_threshold([0.2, 0.3, 0.5], [-0.3, 0.3, 0.7], [0.0, 0.0, 0.0]).acted == 2


def test_rounding_of_sums_breaks_no_tie() -> None:
    # -0.3 + 0.1 + 0.2 is 3e-17 in floats.
    assert best_threshold([0.9, 0.8, 0.7], [-0.3, 0.1, 0.2], [0.0, 0.0, 0.0]).acted == 0


def test_equal_scores_are_acted_upon_together() -> None:
    found = best_threshold([0.5, 0.5, 0.1], [10.0, -4.0, -1.0], [0.0] * 3)

    assert (found.acted, found.value.value) == (2, 6.0)


def test_neighbouring_floats_are_still_told_apart() -> None:
    low = 0.5
    high = float(np.nextafter(low, 1.0))

    found = best_threshold([low, high], [-1.0, 1.0], [0.0, 0.0])

    assert low < found.threshold <= high


def test_the_curve_is_short_and_holds_the_choice() -> None:
    rng = np.random.default_rng(15)
    scores = rng.random(5000)

    found = best_threshold(scores, scores - 0.6, np.zeros(5000), np.arange(5000) % 25)

    assert len(found.curve_thresholds) == len(found.curve_values) <= 200
    assert list(found.curve_thresholds) == sorted(found.curve_thresholds)
    chosen = found.curve_values[found.curve_thresholds.index(found.threshold)]
    assert chosen == max(found.curve_values) == pytest.approx(found.value.value)
    assert found.value.n == 25


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_unknown_scores_and_values_are_refused(broken: float) -> None:
    with pytest.raises(ValueError, match="scores"):
        best_threshold([broken], [1.0], [0.0])
    with pytest.raises(ValueError, match="value_if_act"):
        best_threshold([0.5], [broken], [0.0])


def test_no_rows_give_no_threshold() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        best_threshold([], [], [])

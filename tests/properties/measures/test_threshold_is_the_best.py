"""The laws of the value-optimal threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.measures.threshold import best_threshold

rows = st.lists(
    st.tuples(st.integers(0, 8).map(lambda k: k / 8), st.integers(-9, 9), st.integers(-9, 9)),
    min_size=1,
    max_size=12,
)


@given(rows)
def test_no_cut_earns_more_and_none_that_earns_as_much_acts_less(table: list[tuple[float, int, int]]) -> None:
    scores, act, rest = (np.array(column, dtype=float) for column in zip(*table, strict=True))
    found = best_threshold(scores, act, rest)

    cuts = [*np.unique(scores), 2.0]
    outcomes = [
        (float(np.where(scores >= cut, act, rest).sum()), -int(np.sum(scores >= cut))) for cut in cuts
    ]

    assert (found.value.value, -found.acted) == max(outcomes)
    assert np.isfinite(found.threshold)
    assert found.acted == np.sum(scores >= found.threshold)
    assert found.threshold in found.curve_thresholds


@given(rows, st.integers(1, 1000))
def test_the_unit_of_value_changes_no_decision(table: list[tuple[float, int, int]], factor: int) -> None:
    scores, act, rest = (np.array(column, dtype=float) for column in zip(*table, strict=True))

    plain, scaled = best_threshold(scores, act, rest), best_threshold(scores, act * factor, rest * factor)

    assert plain.threshold == scaled.threshold
    assert plain.value.value is not None
    assert scaled.value.value == pytest.approx(plain.value.value * factor)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30))
def test_a_decision_made_with_the_threshold_acts_on_as_many_rows_as_it_says(scores: list[float]) -> None:
    array = np.array(scores)

    found = best_threshold(array, array, np.zeros_like(array))

    assert found.acted == np.sum(array >= found.threshold)

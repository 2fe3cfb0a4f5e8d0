"""The laws of bins, counts and distances."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.measures.distances import category_bins, count, numeric_bins, shift

values = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40)
names = st.lists(st.one_of(st.none(), st.text(max_size=2)), max_size=40)
tables = st.integers(1, 8).flatmap(
    lambda size: st.tuples(
        *(st.lists(st.integers(0, 10_000), min_size=size, max_size=size) for _ in range(2))
    )
)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60), values, values)
def test_counts_of_parts_add_up_in_any_order(
    reference: list[float], first: list[float], second: list[float]
) -> None:
    bins = numeric_bins(reference)

    whole = count(bins, first + second)

    assert whole.tolist() == (count(bins, first) + count(bins, second)).tolist()
    assert whole.tolist() == count(bins, second + first).tolist()
    assert whole.sum() == len(first) + len(second)
    assert whole.size == bins.size


@given(names, names, names)
def test_counts_of_categories_add_up(
    reference: list[str | None], first: list[str | None], second: list[str | None]
) -> None:
    bins = category_bins(reference, top=3)

    whole = count(bins, first + second)

    assert whole.tolist() == (count(bins, first) + count(bins, second)).tolist()
    assert whole.sum() == len(first) + len(second)
    assert whole.size == bins.size


@given(tables)
def test_distances_are_finite_symmetric_and_bounded(table: tuple[list[int], list[int]]) -> None:
    there, back = shift(*table), shift(*reversed(table))

    assert there.psi >= 0.0
    assert math.isfinite(there.psi)
    assert there.psi == pytest.approx(back.psi)
    assert there.p_value == pytest.approx(back.p_value, abs=1e-12)
    assert 0.0 <= there.js <= 1.0 + 1e-12
    assert 0.0 <= there.largest <= 1.0
    assert 0.0 <= there.p_value <= 1.0


def test_without_a_shift_psi_has_its_null_mean_and_p_values_are_even() -> None:
    rng, runs = np.random.default_rng(40), 400
    found = []
    for _ in range(runs):
        reference = rng.normal(size=4000)
        bins = numeric_bins(reference)
        found.append(shift(count(bins, reference), count(bins, rng.normal(size=1000))))

    assert np.mean([one.psi for one in found]) == pytest.approx(found[0].null_mean, rel=0.06)
    below = np.mean([one.p_value <= 0.1 for one in found])
    assert below == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / runs))


@given(st.lists(st.integers(50, 500), min_size=2, max_size=6))
def test_the_same_shares_at_another_size_have_no_distance(counts: list[int]) -> None:
    found = shift(counts, [3 * one for one in counts])

    assert found.psi == pytest.approx(0.0, abs=1e-12)
    assert found.p_value == pytest.approx(1.0)

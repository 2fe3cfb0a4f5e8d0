"""The laws of intervals by blocks and of asymptotic confidence sequences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.measures import asymptotic, blocks
from seatrial.measures.probability import student_quantile

numbers = st.floats(-1e6, 1e6)


@given(st.lists(numbers, min_size=2, max_size=40))
def test_blocks_of_one_row_give_students_classic_interval(values: list[float]) -> None:
    estimate = blocks.mean(values, np.arange(len(values)))

    reach = student_quantile(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    assert estimate.value == pytest.approx(np.mean(values), abs=1e-6)
    assert estimate.upper == pytest.approx(np.mean(values) + reach, abs=1e-5)
    assert estimate.lower == pytest.approx(np.mean(values) - reach, abs=1e-5)


@given(st.lists(st.tuples(numbers, st.integers(0, 5)), min_size=1, max_size=40), st.data())
def test_the_order_of_rows_does_not_matter(rows: list[tuple[float, int]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))

    first, second = (blocks.total(*zip(*some, strict=True)) for some in (rows, shuffled))

    assert first.n == second.n == len({block for _, block in rows})
    assert first.value == pytest.approx(second.value, abs=1e-6)


def test_intervals_by_blocks_cover_where_rows_share_shocks() -> None:
    rng, runs, days = np.random.default_rng(30), 400, np.repeat(np.arange(12), 25)
    covered = 0
    for _ in range(runs):
        estimate = blocks.mean(rng.normal(size=300) + rng.normal(size=12)[days], days)
        assert estimate.lower is not None
        assert estimate.upper is not None
        covered += estimate.lower <= 0.0 <= estimate.upper

    assert covered / runs == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / runs))


def test_the_asymptotic_sequence_covers_at_all_looks_together() -> None:
    rng, runs = np.random.default_rng(31), 200
    missed = 0
    for _ in range(runs):
        seen, ever_missed = asymptotic.Moments(), False
        for _look in range(20):
            seen = asymptotic.merge(seen, asymptotic.moments(rng.exponential(100.0, 100)))
            estimate = asymptotic.two_sided(seen, confidence=0.9)
            assert estimate.lower is not None
            assert estimate.upper is not None
            ever_missed |= not estimate.lower <= 100.0 <= estimate.upper
        missed += ever_missed

    assert missed / runs <= 0.1


@given(st.lists(numbers, max_size=20), st.lists(numbers, max_size=20))
def test_moments_merge_in_either_order(first: list[float], second: list[float]) -> None:
    a, b = asymptotic.moments(first), asymptotic.moments(second)

    one, two = asymptotic.merge(a, b), asymptotic.merge(b, a)

    assert one.n == two.n == len(first) + len(second)
    assert one.mean == pytest.approx(two.mean, abs=1e-6)
    assert one.m2 == pytest.approx(two.m2, rel=1e-9, abs=1e-6)

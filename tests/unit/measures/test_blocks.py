import math

import numpy as np
import pytest

from seatrial.measures import blocks


def test_blocks_come_in_the_order_of_their_ids() -> None:
    days = np.array(["2013-02-01", "2013-01-31", "2013-02-01"], dtype="datetime64[D]")

    assert blocks.block_sums([1.0, 2.0, 3.0], days).tolist() == [2.0, 4.0]
    assert blocks.block_means([1.0, 2.0, 3.0], days).tolist() == [2.0, 2.0]


def test_a_total_counts_blocks_as_its_units() -> None:
    estimate = blocks.total([1.0, 1.0, 4.0, 6.0], ["a", "a", "b", "c"])

    # Sums 2, 4, 6: deviation 2, three blocks, t(0.975, 2) = 4.3027.
    assert (estimate.value, estimate.n) == (12.0, 3)
    assert estimate.upper == pytest.approx(12.0 + 4.302652729749462 * 2.0 * math.sqrt(3))


def test_one_block_has_a_total_without_bounds() -> None:
    estimate = blocks.total([1.0, 2.0], [1, 1])

    assert (estimate.value, estimate.lower, estimate.n) == (3.0, None, 1)


def test_no_rows_sum_to_nothing_and_have_no_mean() -> None:
    assert blocks.total([]).value == 0.0
    assert blocks.mean([]).value is None


def test_a_shared_shock_widens_the_interval() -> None:
    rng = np.random.default_rng(11)
    days = np.repeat(np.arange(30), 100)
    values = rng.normal(size=3000) + rng.normal(size=30)[days]

    by_row, by_day = blocks.mean(values), blocks.mean(values, days)

    assert by_row.lower is not None
    assert by_day.lower is not None
    assert by_row.value == pytest.approx(by_day.value)
    assert by_day.value is not None
    assert (by_day.value - by_day.lower) > 4 * (by_day.value - by_row.lower)


def test_what_both_sides_share_cancels_in_a_paired_difference() -> None:
    shared = np.random.default_rng(2).normal(0, 1000, 50)

    estimate = blocks.paired(shared + 1.0, shared)

    assert estimate.value == pytest.approx(1.0)
    assert estimate.upper == pytest.approx(1.0)


def test_a_ratio_over_nothing_has_no_value() -> None:
    assert blocks.ratio([1.0], [0.0]).value is None


def test_the_design_effect_finds_the_correlation_that_was_put_in() -> None:
    rng = np.random.default_rng(4)
    days = np.repeat(np.arange(200), 20)
    values = rng.normal(size=4000) + math.sqrt(0.25) * rng.normal(size=200)[days]

    found = blocks.design_effect(values, days)

    assert found is not None
    assert found.correlation.lower is not None
    assert found.correlation.upper is not None
    assert found.correlation.lower < 0.2 < found.correlation.upper
    assert found.block_size == 20
    assert found.factor == pytest.approx(1 + 19 * (found.correlation.value or 0.0))


def test_independent_rows_have_a_design_effect_near_one() -> None:
    values = np.random.default_rng(6).normal(size=4000)

    found = blocks.design_effect(values, np.repeat(np.arange(200), 20))

    assert found is not None
    assert 1.0 <= found.factor < 1.3


@pytest.mark.parametrize(
    ("values", "ids"), [([1.0, 2.0], [1, 1]), ([1.0, 2.0], [1, 2]), ([3.0] * 4, [1, 1, 2, 2])]
)
def test_a_design_effect_that_cannot_be_known_is_none(values: list[float], ids: list[int]) -> None:
    assert blocks.design_effect(values, ids) is None


def test_ids_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 ids, one per row"):
        blocks.block_sums([1.0, 2.0], [1])

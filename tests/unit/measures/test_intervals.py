import pytest

from seatrial.measures.intervals import normal, student, wilson


def test_wilsons_interval_agrees_with_the_published_example() -> None:
    # 81 of 263: Newcombe, Statistics in Medicine 17 (1998), table I.
    estimate = wilson(81, 263)

    assert estimate.lower == pytest.approx(0.2553, abs=5e-5)
    assert estimate.upper == pytest.approx(0.3662, abs=5e-5)


def test_a_share_of_nothing_has_no_value() -> None:
    assert wilson(0, 0).value is None


def test_a_share_of_one_keeps_an_open_lower_side() -> None:
    estimate = wilson(10, 10)

    assert estimate.upper == 1.0
    assert estimate.lower == pytest.approx(0.7225, abs=1e-4)


def test_a_share_lies_within_its_own_interval() -> None:
    for trials in range(1, 200):
        for successes in (0, 1, trials - 1, trials):
            estimate = wilson(successes, trials)
            assert estimate.value is not None
            assert estimate.lower is not None
            assert estimate.upper is not None
            assert 0.0 <= estimate.lower <= estimate.value <= estimate.upper <= 1.0


def test_one_unit_gives_no_bounds() -> None:
    for interval in (student, normal):
        estimate = interval(3.0, 1.0, 1, method="m")
        assert (estimate.value, estimate.lower, estimate.upper) == (3.0, None, None)


def test_bounds_are_cut_to_where_the_quantity_can_lie() -> None:
    estimate = student(0.9, 0.5, 10, method="m", within=(0.0, 1.0))

    assert (estimate.lower, estimate.upper) == (0.0, 1.0)

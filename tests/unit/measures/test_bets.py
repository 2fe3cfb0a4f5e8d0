import math

import pytest

from seatrial.measures import bets


def test_eight_bets_spread_from_cautious_to_bold_and_never_risk_everything() -> None:
    shares = [bet * 0.25 for bet in bets.mixture(0.25)]

    assert len(shares) == 8
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.02)
    assert shares[-1] == pytest.approx(0.9)


def test_the_smallest_increment_is_a_tenth() -> None:
    logs = bets.log_increments(bets.mixture(0.25), 0.0, 0.25)

    assert min(logs) == pytest.approx(math.log(0.1))


def test_means_of_huge_numbers_are_taken_in_logarithms() -> None:
    assert bets.log_mean_exp((1000.0, 1000.0 + math.log(3.0))) == pytest.approx(1000.0 + math.log(2.0))

import pytest

from seatrial.observe.promise import limits
from tests.ledger_streams import model, product


def test_the_tolerated_harm_is_spread_over_the_rows_of_a_day() -> None:
    strict = limits(product(), model(loss=0.2, value=2.0, spread=0.5, rows_per_day=100))
    loose = limits(product(tolerance=50.0), model(loss=0.2, value=2.0, spread=0.5, rows_per_day=100))
    assert strict.value == pytest.approx(1.5)
    assert loose.value == pytest.approx(1.0)
    assert strict.loss == pytest.approx(0.25 * 1.1)


def test_the_ceiling_lies_four_deviations_of_a_day_above_the_promise() -> None:
    # Half-width 0.5 of a mean of 60 days, t quantile 2.001: a day's deviation is 1.936.
    limit = limits(product(), model(loss=0.2, value=2.0, spread=0.5))
    assert limit.ceiling == pytest.approx(2.0 + 4 * 1.9355, abs=0.01)
    assert limit.shortfall(limit.ceiling + 1.0) == 0.0
    assert limit.shortfall(-20.0) == 1.0
    assert limit.shortfall(limit.value) == pytest.approx(limit.value_null)


def test_the_ceiling_never_leaves_the_value_range() -> None:
    assert limits(product(), model(loss=0.2, value=55.0, spread=5.0)).ceiling == 60.0

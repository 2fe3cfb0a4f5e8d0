import math

import numpy as np
import pytest

from seatrial.measures import asymptotic
from seatrial.measures.asymptotic import Moments


def test_moments_merge_to_those_of_the_whole() -> None:
    values = np.random.default_rng(1).normal(5, 3, 100)

    merged = asymptotic.merge(asymptotic.moments(values[:30]), asymptotic.moments(values[30:]))
    whole = asymptotic.moments(values)

    assert merged.n == 100
    assert merged.mean == pytest.approx(whole.mean)
    assert merged.m2 == pytest.approx(whole.m2)
    assert whole.deviation == pytest.approx(np.std(values, ddof=1))
    assert asymptotic.merge(Moments(), whole) == whole == asymptotic.merge(whole, Moments())


def test_it_is_the_formula_of_the_paper() -> None:
    seen, alpha, horizon = Moments(400, 2.0, 399 * 9.0), 0.05, 500
    r2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / horizon
    reach = 3 * math.sqrt(2 * (400 * r2 + 1) / (400**2 * r2) * math.log(math.sqrt(400 * r2 + 1) / alpha))

    estimate = asymptotic.two_sided(seen, tightest_at=horizon)

    assert estimate.lower == pytest.approx(2 - reach)
    assert estimate.upper == pytest.approx(2 + reach)


def test_the_two_sided_e_value_reaches_its_threshold_exactly_at_the_bound() -> None:
    seen = Moments(300, 1.0, 299 * 4.0)
    bound = asymptotic.two_sided(seen).lower
    assert bound is not None

    assert asymptotic.log_e_value(seen, bound) == pytest.approx(math.log(20))


def test_the_one_sided_bound_is_tighter_and_its_e_value_agrees() -> None:
    seen = Moments(300, 1.0, 299 * 4.0)
    one, two = asymptotic.lower_bound(seen), asymptotic.two_sided(seen)
    assert one.lower is not None
    assert two.lower is not None

    assert one.upper is None
    assert two.lower < one.lower < 1.0
    assert asymptotic.log_e_value_above(seen, one.lower) >= math.log(20)
    assert asymptotic.log_e_value_above(seen, 1.5) < 0.0


def test_the_upper_bound_mirrors_the_lower() -> None:
    seen, mirrored = Moments(300, 1.0, 299 * 4.0), Moments(300, -1.0, 299 * 4.0)
    lower, upper = asymptotic.lower_bound(mirrored).lower, asymptotic.upper_bound(seen).upper
    assert lower is not None

    assert upper == pytest.approx(-lower)


def test_less_than_two_units_say_nothing() -> None:
    seen = asymptotic.moments([4.0])

    for estimate in (asymptotic.two_sided(seen), asymptotic.lower_bound(seen), asymptotic.upper_bound(seen)):
        assert (estimate.value, estimate.lower, estimate.upper) == (4.0, None, None)
    assert asymptotic.log_e_value(seen, 0.0) == asymptotic.log_e_value_above(seen, 0.0) == 0.0
    assert asymptotic.two_sided(Moments()).value is None

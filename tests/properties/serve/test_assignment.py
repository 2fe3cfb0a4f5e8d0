"""Laws of the split of traffic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seatrial.facts.prediction import Variant
from seatrial.serve.routing import Routes
from tests.hotel import loaded

LIVE, OTHER = loaded("r0001"), loaded("r0002")


def assign(unit: str, salt: str, share: float, holdout: float = 0.0) -> Variant:
    return Routes(LIVE, OTHER, share, salt, holdout).assigned(unit)


units = st.text(max_size=30)
salts = st.text(max_size=10)
shares = st.floats(0, 1)


@given(units, salts, shares)
def test_a_unit_stays_where_it_is(unit: str, salt: str, share: float) -> None:
    assert assign(unit, salt, share) == assign(unit, salt, share)


@given(units, salts, shares, shares)
def test_raising_the_share_moves_no_unit_away_from_the_canary(
    unit: str, salt: str, one: float, other: float
) -> None:
    low, high = sorted([one, other])
    if assign(unit, salt, low) == Variant.CANARY:
        assert assign(unit, salt, high) == Variant.CANARY


@given(units, salts)
def test_nothing_goes_to_a_canary_without_a_share_and_all_to_one_that_has_everything(
    unit: str, salt: str
) -> None:
    assert assign(unit, salt, 0.0) == Variant.LIVE
    assert assign(unit, salt, 1.0) == Variant.CANARY


@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.25, 0.5]))
def test_the_canary_gets_its_share(seed: int, share: float) -> None:
    drawn = np.random.default_rng(seed)
    salt = f"r{drawn.integers(10_000)}"
    names = [f"{place}" for place in drawn.integers(10**12, size=2000)]
    got = sum(assign(name, salt, share) == Variant.CANARY for name in names)
    # Six standard deviations: one false alarm in a thousand million.
    assert abs(got - 2000 * share) <= 6 * (2000 * share * (1 - share)) ** 0.5


@given(st.integers(0, 2**32))
def test_the_next_canary_is_tried_on_other_units(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    names = [str(place) for place in drawn.integers(10**12, size=2000)]
    both = sum(assign(n, "r0002", 0.5) == assign(n, "r0003", 0.5) for n in names)
    assert 800 <= both <= 1200


@given(units, st.floats(0, 0.99), st.floats(0, 0.99))
def test_the_probabilities_of_all_assignments_add_up_and_none_that_happens_is_zero(
    unit: str, share: float, holdout: float
) -> None:
    routes = Routes(LIVE, OTHER, share, "salt", holdout)
    assert 0 < routes.propensity(routes.assigned(unit)) <= 1
    every = (Variant.LIVE, Variant.CANARY, Variant.HOLDOUT)
    assert abs(sum(routes.propensity(variant) for variant in every) - 1) < 1e-12


@given(units, salts, shares, st.floats(0, 0.99))
def test_the_held_out_units_are_the_same_whatever_is_tried(
    unit: str, salt: str, share: float, holdout: float
) -> None:
    held = assign(unit, "other", 0.0, holdout) == Variant.HOLDOUT
    assert (assign(unit, salt, share, holdout) == Variant.HOLDOUT) is held

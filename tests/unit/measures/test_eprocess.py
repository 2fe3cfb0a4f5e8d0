import math

import msgspec
import numpy as np
import pytest

from seatrial.measures import eprocess


def test_wealth_is_the_mean_over_bets_of_products() -> None:
    state, values = eprocess.start(0.4), [0.9, 0.2, 0.7]

    products = [math.prod(1.0 + bet * (x - 0.4) for x in values) for bet in state.bets]

    assert eprocess.log_e_value(eprocess.update_all(state, values)) == pytest.approx(
        math.log(np.mean(products))
    )


def test_harm_is_rejected_and_health_is_not() -> None:
    rng = np.random.default_rng(3)
    sick, well = rng.binomial(1, 0.4, 300), rng.binomial(1, 0.15, 300)

    assert eprocess.rejected(eprocess.update_all(eprocess.start(0.2), sick), 0.01)
    assert not eprocess.rejected(eprocess.update_all(eprocess.start(0.2), well), 0.01)


def test_a_rejection_stays_when_the_wealth_is_lost_again() -> None:
    state = eprocess.update_all(eprocess.start(0.2), [1.0] * 10 + [0.0] * 200)

    assert eprocess.log_e_value(state) < 0.0
    assert eprocess.rejected(state, 0.01)


def test_the_state_survives_json() -> None:
    state = eprocess.update_all(eprocess.start(0.2), [0.1, 0.7, 0.2])

    assert msgspec.json.decode(msgspec.json.encode(state), type=eprocess.EProcess) == state

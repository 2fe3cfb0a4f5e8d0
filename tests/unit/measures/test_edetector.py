import math

import msgspec
import numpy as np
import pytest

from seatrial.measures import edetector


def test_the_first_step_is_the_mean_increment() -> None:
    state = edetector.update(edetector.start(0.2), 1.0)

    increments = 1.0 + np.array(state.bets) * 0.8
    assert math.exp(edetector.log_evidence(state)) == pytest.approx(increments.mean())


def test_the_recursion_is_shiryaev_roberts() -> None:
    state, values = edetector.start(0.3), [0.1, 0.9, 0.4, 1.0, 0.0]

    plain = np.zeros(len(state.bets))
    for x in values:
        plain = (1.0 + np.array(state.bets) * (x - 0.3)) * (plain + 1.0)

    evidence = edetector.log_evidence(edetector.update_all(state, values))
    assert evidence == pytest.approx(math.log(plain.mean()))


def test_nothing_seen_is_no_evidence_and_no_beginning() -> None:
    state = edetector.start(0.3)

    assert edetector.log_evidence(state) == -math.inf
    assert edetector.began(state) is None
    assert not edetector.alarm(state, 1.0)


def test_it_alarms_after_a_rise_and_says_when_the_rise_began() -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.binomial(40, 0.10, 300), rng.binomial(40, 0.25, 100)]) / 40

    state, position = edetector.first_alarm(edetector.start(0.12), values.tolist(), 1e4)

    assert position is not None
    assert 300 <= position < 360
    assert edetector.began(state) == pytest.approx(300, abs=8)


def test_an_improvement_never_alarms() -> None:
    state, position = edetector.first_alarm(edetector.start(0.15), [0.05] * 5000, 50.0)

    assert position is None
    assert edetector.began(state) is None


def test_overwhelming_evidence_does_not_overflow() -> None:
    state = edetector.update_all(edetector.start(0.01), [1.0] * 2000)

    assert 1000 < edetector.log_evidence(state) < math.inf
    assert edetector.began(state) == 0


def test_the_state_survives_json() -> None:
    state = edetector.update_all(edetector.start(0.2), [0.1, 0.7, 0.2])

    again = msgspec.json.decode(msgspec.json.encode(state), type=edetector.EDetector)

    assert again == state


def test_a_restart_keeps_the_tolerance_and_forgets_the_rest() -> None:
    state = edetector.update(edetector.start(0.2), 1.0)

    assert edetector.restart(state) == edetector.start(0.2)


@pytest.mark.parametrize("x", [-0.1, 1.1, math.nan])
def test_what_lies_outside_the_unit_range_is_refused(x: float) -> None:
    with pytest.raises(ValueError, match="unit scale"):
        edetector.update(edetector.start(0.2), x)


@pytest.mark.parametrize("mean", [0.0, 1.0, math.nan])
def test_a_tolerance_at_the_edge_is_refused(mean: float) -> None:
    with pytest.raises(ValueError, match="inside"):
        edetector.start(mean)


def test_one_false_alarm_per_year_on_daily_blocks_is_a_threshold_of_365() -> None:
    assert edetector.threshold_for(1, 365) == 365
    assert edetector.threshold_for(0.1, 365, monitors=2) == pytest.approx(7300)
    assert edetector.threshold_for(100, 10) == 1.0


def test_a_budget_of_no_false_alarms_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        edetector.threshold_for(0, 365)

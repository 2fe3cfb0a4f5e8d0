"""The laws of the e-detector, the e-process and the confidence sequence."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.measures import confidence_sequence, edetector, eprocess

unit = st.floats(0.0, 1.0)
tolerances = st.floats(0.01, 0.99)


@pytest.mark.parametrize("mean", [0.1, 0.5])
def test_false_alarms_of_the_edetector_stay_within_the_bound(mean: float) -> None:
    rng, runs, steps, threshold = np.random.default_rng(20), 400, 200, 1000.0
    values = rng.binomial(1, mean, (runs, steps))

    alarms = sum(
        edetector.first_alarm(edetector.start(mean), row, threshold)[1] is not None for row in values
    )

    # P <= 0.2; four standard errors of slack.
    assert alarms / runs <= 0.2 + 4 * math.sqrt(0.2 * 0.8 / runs)


def test_the_evidence_of_the_edetector_grows_by_at_most_one_per_step_under_the_null() -> None:
    rng, runs, steps = np.random.default_rng(21), 4000, 5
    values = rng.binomial(1, 0.3, (runs, steps))

    found = [
        math.exp(edetector.log_evidence(edetector.update_all(edetector.start(0.3), row))) for row in values
    ]

    assert np.mean(found) == pytest.approx(steps, abs=4 * float(np.std(found)) / math.sqrt(runs))


def test_false_rejections_of_the_eprocess_stay_within_alpha() -> None:
    rng, runs = np.random.default_rng(22), 300
    values = rng.binomial(1, 0.2, (runs, 300))

    rejected = sum(eprocess.rejected(eprocess.update_all(eprocess.start(0.2), row), 0.1) for row in values)

    assert rejected / runs <= 0.1 + 4 * math.sqrt(0.1 * 0.9 / runs)


def test_the_confidence_sequence_covers_at_all_times_together() -> None:
    rng, runs = np.random.default_rng(23), 200
    values = rng.beta(2, 6, (runs, 300))

    missed = 0
    for row in values:
        state = confidence_sequence.update_all(confidence_sequence.start(0.9), row.tolist())
        missed += not state.lower <= 0.25 <= state.upper

    assert missed / runs <= 0.1 + 4 * math.sqrt(0.1 * 0.9 / runs)


@given(tolerances, st.lists(unit, min_size=1, max_size=30), st.data())
def test_a_larger_value_never_lowers_the_evidence(
    mean: float, values: list[float], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    larger = values.copy()
    larger[place] = data.draw(st.floats(values[place], 1.0))

    before = edetector.update_all(edetector.start(mean), values)
    after = edetector.update_all(edetector.start(mean), larger)

    assert edetector.log_evidence(after) >= edetector.log_evidence(before) - 1e-9
    wealth_before = eprocess.update_all(eprocess.start(mean), values)
    wealth_after = eprocess.update_all(eprocess.start(mean), larger)
    assert eprocess.log_e_value(wealth_after) >= eprocess.log_e_value(wealth_before) - 1e-9


@given(tolerances, st.lists(unit, max_size=30), st.lists(unit, max_size=30))
def test_a_stored_state_goes_on_exactly_where_it_was(
    mean: float, first: list[float], second: list[float]
) -> None:
    whole = edetector.update_all(edetector.start(mean), first + second)
    stored = msgspec.json.encode(edetector.update_all(edetector.start(mean), first))

    resumed = edetector.update_all(msgspec.json.decode(stored, type=edetector.EDetector), second)

    assert resumed == whole


@given(tolerances, st.lists(unit, max_size=30), st.lists(unit, max_size=30))
def test_a_stored_test_and_interval_go_on_exactly_where_they_were(
    mean: float, first: list[float], second: list[float]
) -> None:
    wealth = msgspec.to_builtins(eprocess.update_all(eprocess.start(mean), first))
    bounds = msgspec.to_builtins(confidence_sequence.update_all(confidence_sequence.start(), first))

    resumed = eprocess.update_all(msgspec.convert(wealth, eprocess.EProcess), second)
    sequence = confidence_sequence.update_all(
        msgspec.convert(bounds, confidence_sequence.ConfidenceSequence), second
    )

    assert resumed == eprocess.update_all(eprocess.start(mean), first + second)
    assert sequence == confidence_sequence.update_all(confidence_sequence.start(), first + second)


@given(st.lists(unit, min_size=1, max_size=30))
def test_bounds_of_the_confidence_sequence_never_widen(values: list[float]) -> None:
    state = confidence_sequence.start(0.2)
    for x in values:
        after = confidence_sequence.update(state, x)
        assert after.lower >= state.lower
        assert after.upper <= state.upper
        state = after


@given(tolerances, st.lists(unit, min_size=1, max_size=60))
def test_the_evidence_is_positive_finite_and_at_least_that_of_the_best_single_start(
    mean: float, values: list[float]
) -> None:
    state = edetector.update_all(edetector.start(mean), values)

    evidence = edetector.log_evidence(state)

    assert math.isfinite(evidence)
    assert min(state.log_sr) >= 0.0
    # The sum over starts is at least its largest term, for every bet.
    assert all(sr >= cusum - 1e-9 for sr, cusum in zip(state.log_sr, state.log_cusum, strict=True))


@given(st.floats(0.05, 0.9), st.lists(unit, min_size=1, max_size=40))
def test_the_beginning_is_the_start_with_the_most_evidence(mean: float, values: list[float]) -> None:
    state = edetector.update_all(edetector.start(mean), values)
    begun = edetector.began(state)
    logs = np.log1p(np.outer(state.bets, np.array(values) - mean))
    from_each_start = np.cumsum(logs[:, ::-1], axis=1)[:, ::-1]

    if begun is None:
        assert from_each_start.max() <= 1e-9
    else:
        assert from_each_start[:, begun].max() == pytest.approx(from_each_start.max(), abs=1e-9)

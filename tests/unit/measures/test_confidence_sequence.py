import math

import msgspec
import numpy as np
import pytest

from seatrial.measures import confidence_sequence


def test_it_is_the_closed_form_of_the_paper() -> None:
    values, alpha = np.random.default_rng(5).beta(2, 5, 40), 0.05
    t = np.arange(1, 41)
    means = (0.5 + np.cumsum(values)) / (t + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (t + 1)
    means_before, variances_before = np.append(0.5, means[:-1]), np.append(0.25, variances[:-1])
    bets = np.minimum(0.5, np.sqrt(2 * math.log(2 / alpha) / (variances_before * t * np.log(1 + t))))
    penalty = np.cumsum((values - means_before) ** 2 * (-np.log(1 - bets) - bets))
    centre = np.cumsum(bets * values) / np.cumsum(bets)
    reach = (math.log(2 / alpha) + penalty) / np.cumsum(bets)

    estimate = confidence_sequence.interval(
        confidence_sequence.update_all(confidence_sequence.start(), values.tolist())
    )

    assert estimate.lower == pytest.approx(max(0.0, (centre - reach).max()))
    assert estimate.upper == pytest.approx(min(1.0, (centre + reach).min()))


def test_nothing_seen_is_the_whole_range_without_a_value() -> None:
    estimate = confidence_sequence.interval(confidence_sequence.start())

    assert (estimate.value, estimate.lower, estimate.upper, estimate.n) == (None, 0.0, 1.0, 0)


def test_a_mean_that_moved_loses_its_bounds_and_says_so() -> None:
    state = confidence_sequence.update_all(confidence_sequence.start(), [0.0] * 500 + [1.0] * 5000)

    estimate = confidence_sequence.interval(state)

    assert (estimate.lower, estimate.upper) == (None, None)
    assert "mean moved" in estimate.method


def test_the_state_survives_json() -> None:
    state = confidence_sequence.update_all(confidence_sequence.start(0.9), [0.1, 0.7, 0.2])

    again = msgspec.json.decode(msgspec.json.encode(state), type=confidence_sequence.ConfidenceSequence)

    assert again == state


def test_what_lies_outside_the_unit_range_is_refused() -> None:
    with pytest.raises(ValueError, match="unit scale"):
        confidence_sequence.update(confidence_sequence.start(), 1.5)

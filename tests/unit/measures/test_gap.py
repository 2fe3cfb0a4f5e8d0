import msgspec
import numpy as np
import pytest

from seatrial.measures import gap
from seatrial.measures.bounded import usual_range
from seatrial.measures.classification import brier_losses
from seatrial.measures.estimation import brier_rows


def watch(p: np.ndarray, truth: np.ndarray, days: np.ndarray) -> bool:
    rng = np.random.default_rng(16)
    labels = rng.random(p.size) < truth
    state = gap.update(gap.start(0.02), brier_losses(labels, p), brier_rows(p), days)
    return gap.alarm(state, 1000.0)


def test_harder_rows_are_no_gap_and_a_changed_relation_is() -> None:
    days = np.repeat(np.arange(150), 100)
    easy = np.full(7500, 0.05)
    hard = np.full(7500, 0.45)

    assert not watch(np.concatenate([easy, hard]), np.concatenate([easy, hard]), days)
    assert watch(np.concatenate([easy, easy]), np.concatenate([easy, hard]), days)


def test_gaps_are_means_by_block() -> None:
    assert gap.gaps([1.0, 0.0, 0.5], [0.5, 0.5, 0.25], [1, 1, 2]).tolist() == [0.0, 0.25]


def test_the_state_survives_json() -> None:
    state = gap.update(gap.start(0.1), [0.4], [0.2])

    assert msgspec.json.decode(msgspec.json.encode(state), type=gap.Gap) == state


def test_the_tolerance_is_the_mean_gap_that_may_be() -> None:
    held = gap.start(0.3)
    for _ in range(400):
        held = gap.update(held, [0.5, 0.5], [0.25, 0.25], [1, 2])

    assert not gap.alarm(held, 900.0)
    assert gap.alarm(gap.update(gap.start(0.1), [0.5] * 800, [0.25] * 800), 900.0)


def test_small_gaps_are_found_on_the_usual_range() -> None:
    rng = np.random.default_rng(18)
    past, days = rng.normal(0.0, 0.01, 60), np.arange(60)
    losses = 0.25 + rng.normal(0.03, 0.01, 60)

    narrow = gap.update(gap.start(0.005, usual_range(past)), losses, [0.25] * 60, days)
    wide = gap.update(gap.start(0.005), losses, [0.25] * 60, days)

    assert gap.alarm(narrow, 365.0)
    assert not gap.alarm(wide, 365.0)


def test_a_tolerance_of_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="tolerated gap"):
        gap.start(1.0)

"""Every clock tells aware UTC times and never goes back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from seatrial.adapters.clock.simulated import SimulatedClock
from seatrial.adapters.clock.system import SystemClock
from seatrial.ports.clock import Clock
from tests.fakes.clock import START, MemoryClock


@pytest.mark.parametrize("clock", [SystemClock(), SimulatedClock(START), MemoryClock()])
def test_times_are_aware_in_utc_and_in_order(clock: Clock) -> None:
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert first <= second


def test_the_system_clock_tells_the_machines_time() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)


def test_a_simulated_clock_stands_still_until_it_is_moved() -> None:
    clock = SimulatedClock(START)
    assert clock.now() == clock.now() == START
    assert clock.advance_to(START + timedelta(days=1)) == START + timedelta(days=1)
    assert clock.advance(timedelta(hours=1)) == clock.now() == START + timedelta(days=1, hours=1)


def test_a_simulated_clock_never_goes_back() -> None:
    clock = SimulatedClock(START)
    assert clock.advance_to(START - timedelta(seconds=1)) == START
    assert clock.advance(timedelta(days=-1)) == clock.now() == START


def test_a_simulated_clock_takes_times_of_any_zone_but_none_without() -> None:
    clock = SimulatedClock(START.astimezone(timezone(timedelta(hours=5))))
    assert clock.now().utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="needs its time zone"):
        clock.advance_to(datetime(2026, 1, 1))  # noqa: DTZ001  # that is the point

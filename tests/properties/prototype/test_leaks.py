"""Laws of the leak checks over generated worlds: honest columns are not refused, planted leaks are."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.prototype.leaks import find_leaks
from tests.bookings_world import bookings, planted

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
PLANTED = {"status", "parking", "room_key", "assigned", "days_waiting", "changes"}


def verdicts(frame: pl.DataFrame) -> dict[str, str]:
    found = find_leaks(
        frame,
        label="cancelled",
        made_at="booked_at",
        known_at="settled_at",
        matured_at=pl.col("arrives_at") + pl.duration(days=1),
        key="booking_id",
    )
    return {one.column: one.verdict for one in found}


@given(SEEDS, st.floats(min_value=0.2, max_value=1.5))
@settings(max_examples=15, deadline=None)
def test_no_honest_column_is_refused_however_much_it_tells(seed: int, strength: float) -> None:
    assert "refused" not in verdicts(bookings(seed, rows=4_000, strength=strength).frame).values()


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_planted_leaks_are_withheld_and_siblings_are_not(seed: int) -> None:
    found = verdicts(planted(bookings(seed)))
    assert found.keys() >= PLANTED
    assert "reserved" not in found
    assert all(found[name] == "refused" for name in ("status", "parking", "room_key", "days_waiting"))


@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    frame = planted(bookings(seed, rows=6_000))
    assert verdicts(frame) == verdicts(frame.sample(fraction=1.0, shuffle=True, seed=1))

"""Rows that equal an earlier one in all but the key are told."""

import polars as pl

from seatrial.prototype.repetition import repeated_rows
from tests.bookings_world import bookings

FRAME = bookings(1, rows=1_000).frame


def test_rows_that_equal_another_but_for_the_key_are_counted() -> None:
    again = FRAME.head(50).with_columns(pl.col("booking_id") + "-again")
    told = repeated_rows(pl.concat([FRAME, again]), key="booking_id")
    assert told is not None
    assert told.startswith("50 of 1,050 rows equal an earlier one in all but booking_id")


def test_few_repetitions_and_narrow_tables_are_not_told() -> None:
    assert repeated_rows(FRAME, key="booking_id") is None
    assert repeated_rows(pl.concat([FRAME, FRAME.head(5)]), key="booking_id") is None
    assert repeated_rows(pl.concat([FRAME, FRAME]).select("booking_id", "guests"), key="booking_id") is None

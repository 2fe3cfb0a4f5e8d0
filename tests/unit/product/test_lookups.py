"""Lookups in two times: what a row tells of, and when it was known."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.contract.types import TIMESTAMP
from seatrial.product.lookups import KNOWN, KNOWN_FROM, TOLD, LookupIndex, join, join_all, prepare
from seatrial.product.schema import Lookup

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TWO_TIMES = Lookup(on=("city",), as_of="seen", known_at="told", columns=("rain",))
NAMES = {"rain": "rain"}


def weather(*rows: tuple[Any, ...], city: str = "Rome") -> pl.DataFrame:
    """Rows of event hour, known hour and value."""
    schema: dict[str, Any] = {"city": pl.String, "seen": TIMESTAMP, "told": TIMESTAMP, "rain": pl.Float64}
    timed = [(city, *(at if at is None else NOON + at * HOUR for at in row[:2]), row[2]) for row in rows]
    return pl.DataFrame(timed, schema=schema, orient="row")


def asked(*hours: float, city: str = "Rome") -> pl.DataFrame:
    moments = [NOON + hour * HOUR for hour in hours]
    schema: dict[str, Any] = {"city": pl.String, "made_at": TIMESTAMP}
    return pl.DataFrame({"city": [city] * len(hours), "made_at": moments}, schema=schema)


def found(table: pl.DataFrame, *hours: float, lookup: Lookup = TWO_TIMES) -> list[Any]:
    prepared = prepare(table, lookup, NAMES)
    joined = join(asked(*hours), prepared, lookup, "made_at")["rain"].to_list()
    assert LookupIndex(prepared, lookup).find(asked(*hours), "made_at")["rain"].to_list() == joined
    return joined


def test_a_value_written_after_the_training_moment_does_not_enter_its_features() -> None:
    """Feast #6615: the time of writing was only used to break ties, so backfilled values leaked."""
    backfilled = weather((0, 48, 7.0))
    assert found(backfilled, 1, 47, 48) == [None, None, 7.0]


def test_a_value_written_again_after_the_training_moment_leaves_the_first_one_in_its_features() -> None:
    """Feast #6615: the row written last replaced the one that was known at the decision."""
    assert found(weather((0, 0, 1.0), (0, 48, 2.0)), 1, 48) == [1.0, 2.0]


def test_several_examples_with_the_same_key_and_moment_all_stay() -> None:
    """Feast #6787: all but one of them were lost without a word."""
    frame = pl.concat([asked(1, 1, 3, 1, 3), asked(3, city="Oslo")]).with_row_index("example")
    prepared = prepare(weather((0, 0, 1.0), (2, 2, 2.0)), TWO_TIMES, NAMES)
    joined = join(frame, prepared, TWO_TIMES, "made_at")
    assert_frame_equal(joined.drop("rain"), frame)
    assert joined["rain"].to_list() == [1.0, 1.0, 2.0, 1.0, 2.0, None]


def test_a_late_correction_of_an_old_event_does_not_displace_a_newer_one() -> None:
    assert found(weather((0, 0, 1.0), (2, 2, 2.0), (0, 3, 9.0)), 1, 2, 4) == [1.0, 2.0, 2.0]


def test_a_correction_of_the_current_event_stands_from_its_known_time_on() -> None:
    assert found(weather((0, 0, 1.0), (0, 3, 9.0)), 2, 3) == [1.0, 9.0]


def test_a_correction_that_takes_the_value_away_stands_as_well() -> None:
    assert found(weather((0, 0, 1.0), (0, 3, None)), 2, 3) == [1.0, None]


def test_of_two_events_known_at_one_moment_the_later_event_stands() -> None:
    assert found(weather((1, 3, 1.0), (0, 3, 9.0)), 3) == [1.0]


def test_of_rows_equal_in_both_times_the_one_delivered_last_stands() -> None:
    assert found(weather((0, 1, 1.0), (0, 1, 2.0), (0, 1, 2.0)), 1) == [2.0]


def test_what_is_announced_for_later_stands_from_then_on_and_not_before() -> None:
    assert found(weather((0, 0, 1.0), (5, 1, 2.0)), 4, 5) == [1.0, 2.0]


def test_of_two_announcements_of_one_moment_the_later_one_stands() -> None:
    assert found(weather((5, 2, 2.0), (5, 1, 1.0)), 5) == [2.0]


def test_rows_without_key_event_time_or_known_time_are_left_out() -> None:
    holes = weather((None, 0, 1.0), (0, None, 2.0)).vstack(weather((0, 0, 3.0)).with_columns(city=None))
    assert found(holes, 9) == [None]


@pytest.mark.parametrize("column", ["city", "made_at"])
def test_a_request_without_key_or_moment_finds_nothing(column: str) -> None:
    prepared = prepare(weather((0, 0, 1.0)), TWO_TIMES, NAMES)
    frame = asked(1).with_columns(pl.lit(None, asked().schema[column]).alias(column))
    assert join(frame, prepared, TWO_TIMES, "made_at")["rain"].to_list() == [None]
    assert LookupIndex(prepared, TWO_TIMES).find(frame, "made_at")["rain"].to_list() == [None]


def test_a_replaced_row_stands_until_its_replacement_was_here() -> None:
    """The source tells the same known time for both versions; the second one came with a later load."""
    table = weather((0, 0, 1.0), (0, 0, 9.0)).with_columns(
        pl.Series(KNOWN_FROM, [None, NOON + 6 * HOUR], dtype=TIMESTAMP)
    )
    assert found(table, 5, 6) == [1.0, 9.0]


def test_the_floor_of_the_known_time_is_no_part_of_the_table() -> None:
    table = weather((0, 0, 1.0)).with_columns(pl.lit(NOON, TIMESTAMP).alias(KNOWN_FROM))
    assert prepare(table, TWO_TIMES, NAMES).columns == ["city", KNOWN, TOLD, "rain"]


def test_a_lookup_without_time_takes_its_last_row() -> None:
    timeless = Lookup(on=("city",), columns=("rain",))
    table = weather((0, 0, 1.0), (5, 0, 2.0))
    assert prepare(table, timeless, NAMES).columns == ["city", "rain"]
    assert found(table, -900, 1, lookup=timeless) == [2.0, 2.0]


def test_a_lookup_without_time_keeps_a_replaced_row_for_the_decisions_before() -> None:
    timeless = Lookup(on=("city",), columns=("rain",))
    floors = pl.Series(KNOWN_FROM, [None, NOON + 6 * HOUR], dtype=TIMESTAMP)
    table = weather((0, 0, 1.0), (0, 0, 9.0)).with_columns(floors)
    assert found(table, -900, 5, 6, lookup=timeless) == [1.0, 1.0, 9.0]


def test_a_delay_counts_from_the_event() -> None:
    late = Lookup(on=("city",), as_of="seen", available_after=7200.0, columns=("rain",))
    assert found(weather((0, 99, 1.0), (1, 99, 2.0)), 1.9, 2, 3, lookup=late) == [None, 1.0, 2.0]


def test_a_date_counts_from_its_beginning() -> None:
    daily = Lookup(on=("city",), as_of="day", columns=("rain",))
    table = pl.DataFrame({"city": ["Rome"], "day": [date(2025, 1, 2)], "rain": [4.0]})
    assert found(table, 11.9, 12, lookup=daily) == [None, 4.0]


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_keys_that_are_no_number_match_nothing_and_both_zeros_are_one(zero: float) -> None:
    lookup = Lookup(on=("depth",), as_of="seen", columns=("rain",))
    table = pl.DataFrame({"depth": [zero, float("nan")], "seen": [NOON, NOON], "rain": [1.0, 2.0]})
    frame = pl.DataFrame({"depth": [0.0, -0.0, float("nan")], "made_at": [NOON] * 3})
    frame, table = (one.with_columns(pl.col(pl.Datetime).cast(TIMESTAMP)) for one in (frame, table))
    prepared = prepare(table, lookup, NAMES)
    assert join(frame, prepared, lookup, "made_at")["rain"].to_list() == [1.0, 1.0, None]
    assert LookupIndex(prepared, lookup).find(frame, "made_at")["rain"].to_list() == [1.0, 1.0, None]


def test_several_lookups_are_joined_in_turn() -> None:
    names = Lookup(on=("rain",), columns=("word",))
    words = prepare(pl.DataFrame({"rain": [2.0], "word": ["wet"]}), names, {"word": "word"})
    timed = prepare(weather((0, 0, 1.0), (2, 2, 2.0)), TWO_TIMES, NAMES)
    joined = join_all(asked(3, 1), [(timed, TWO_TIMES), (words, names)], "made_at")
    assert joined.drop("made_at", "city").rows() == [(2.0, "wet"), (1.0, None)]

"""Laws of lookups: training joins what serving finds, and both what a search row by row finds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.contract.types import TIMESTAMP
from seatrial.product.lookups import KNOWN_FROM, LookupIndex, join, prepare
from seatrial.product.schema import Lookup

START = datetime(2025, 1, 1, tzinfo=UTC)
NAMES = {"rain": "rain"}
# Few keys and moments: ties of event time, of known time and of both are common, and so are corrections.
moments = st.integers(0, 8).map(lambda hours: START + timedelta(hours=hours))
cities = st.sampled_from(["Rome", "Rome", "Rome", "Oslo", None])
tables = st.lists(
    st.tuples(cities, st.none() | moments, st.none() | moments, st.none() | moments), max_size=14
).map(lambda rows: [(*row, number) for number, row in enumerate(rows)])
asked = st.lists(st.tuples(cities, moments), max_size=12)
lookups = st.one_of(
    st.integers(0, 3).map(
        lambda hours: Lookup(on=("city",), as_of="seen", available_after=hours * 3600.0, columns=("rain",))
    ),
    st.just(Lookup(on=("city",), as_of="seen", known_at="told", columns=("rain",))),
    st.just(Lookup(on=("city",), columns=("rain",))),
)
Row = tuple[str | None, datetime | None, datetime | None, datetime | None, int]


def weather(rows: list[Row]) -> pl.DataFrame:
    """City, event time, known time, floor of the known time, and a value that tells the rows apart."""
    schema: dict[str, Any] = {
        "city": pl.String,
        "seen": TIMESTAMP,
        "told": TIMESTAMP,
        KNOWN_FROM: TIMESTAMP,
        "rain": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def requests(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"city": pl.String, "made_at": TIMESTAMP}, orient="row")


def expected(rows: list[Row], lookup: Lookup, city: str | None, made_at: datetime) -> int | None:
    """By the definition: of the rows known by then the latest event, then the last known, then the last given."""
    best: tuple[datetime, datetime, int] | None = None
    for place, row in enumerate(rows):
        times = told_and_reported(row, lookup)
        if times is None or row[0] is None or row[0] != city or max(times) > made_at:
            continue
        best = max(best, (*times, place)) if best else (*times, place)
    return None if best is None else rows[best[2]][4]


def told_and_reported(row: Row, lookup: Lookup) -> tuple[datetime, datetime] | None:
    _, seen, told, floor, _ = row
    always = datetime(1, 1, 1, tzinfo=UTC)
    if lookup.as_of is None:
        return always, floor or always
    given_at = told if lookup.known_at else seen and seen + timedelta(seconds=lookup.available_after)
    return (seen, max(given_at, floor or always)) if seen is not None and given_at is not None else None


@given(tables, asked, lookups)
@settings(max_examples=100)
def test_the_join_takes_what_a_search_row_by_row_finds(
    table: list[Row], rows: list[tuple[Any, ...]], lookup: Lookup
) -> None:
    joined = join(requests(rows), prepare(weather(table), lookup, NAMES), lookup, "made_at")
    assert_frame_equal(joined.drop("rain"), requests(rows))
    assert joined["rain"].to_list() == [expected(table, lookup, *row) for row in rows]


@given(tables, asked, lookups)
@settings(max_examples=100)
def test_joining_and_finding_agree_on_what_was_known(
    table: list[Row], rows: list[tuple[Any, ...]], lookup: Lookup
) -> None:
    prepared, frame = prepare(weather(table), lookup, NAMES), requests(rows)
    joined = join(frame, prepared, lookup, "made_at")
    assert_frame_equal(LookupIndex(prepared, lookup).find(frame, "made_at"), joined.select("rain"))


@given(tables, tables, lookups, moments)
def test_what_comes_to_be_known_later_changes_no_earlier_decision(
    table: list[Row], later: list[Row], lookup: Lookup, made_at: datetime
) -> None:
    """Rows known after a moment are added in their place: before it, every answer stays."""
    frame = requests([("Rome", made_at), ("Oslo", made_at)])
    unknown = [row for row in later if not _known_by(row, lookup, made_at)]
    before, after = (
        join(frame, prepare(weather(given_rows), lookup, NAMES), lookup, "made_at")
        for given_rows in (table, [*unknown[::2], *table, *unknown[1::2]])
    )
    assert_frame_equal(before, after)


def _known_by(row: Row, lookup: Lookup, made_at: datetime) -> bool:
    times = told_and_reported(row, lookup)
    return times is not None and max(times) <= made_at

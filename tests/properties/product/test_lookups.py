"""Laws of lookups: training joins what serving finds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.contract.types import TIMESTAMP
from seatrial.product.lookups import LookupIndex, join, prepare
from seatrial.product.schema import Lookup

START = datetime(2025, 1, 1, tzinfo=UTC)
NAMES = {"rain": "rain"}
moments = st.none() | st.integers(0, 12).map(lambda hours: START + timedelta(hours=hours))
cities = st.none() | st.sampled_from(["Rome", "Oslo", "Bern"])
rains = st.none() | st.integers(0, 99)
tables = st.lists(st.tuples(cities, moments, rains), max_size=25)
asked = st.lists(st.tuples(cities, moments.filter(lambda moment: moment is not None)), max_size=10)


def weather(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema: dict[str, Any] = {"city": pl.String, "seen": TIMESTAMP, "rain": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def requests(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"city": pl.String, "made_at": TIMESTAMP}, orient="row")


def both(table: pl.DataFrame, frame: pl.DataFrame, lookup: Lookup) -> tuple[pl.DataFrame, pl.DataFrame]:
    prepared = prepare(table, lookup, NAMES)
    joined = join(frame, prepared, lookup, "made_at")
    assert_frame_equal(joined.drop("rain"), frame)
    return joined.select("rain"), LookupIndex(prepared, lookup).find(frame, "made_at")


@given(tables, asked, st.integers(0, 3))
def test_joining_and_finding_agree_on_what_was_known(
    table: list[tuple[Any, ...]], rows: list[tuple[Any, ...]], delay: int
) -> None:
    lookup = Lookup(on=("city",), as_of="seen", available_after=delay * 3600.0, columns=("rain",))
    joined, found = both(weather(table), requests(rows), lookup)
    assert_frame_equal(joined, found)


@given(tables, asked)
def test_joining_and_finding_agree_without_times(
    table: list[tuple[Any, ...]], rows: list[tuple[Any, ...]]
) -> None:
    joined, found = both(weather(table), requests(rows), Lookup(on=("city",), columns=("rain",)))
    assert_frame_equal(joined, found)


@given(tables, asked, st.integers(0, 3))
def test_nothing_is_found_before_it_was_known(
    table: list[tuple[Any, ...]], rows: list[tuple[Any, ...]], delay: int
) -> None:
    lookup = Lookup(on=("city",), as_of="seen", available_after=delay * 3600.0, columns=("rain",))
    _, found = both(weather(table), requests(rows), lookup)
    late = timedelta(hours=delay)
    for (city, made_at), rain in zip(rows, found["rain"], strict=True):
        known = [r for c, seen, r in table if c == city and c and seen and seen + late <= made_at]
        assert rain is None or rain in known

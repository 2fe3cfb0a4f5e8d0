"""What every store of published lookups does, in memory and on disk."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.adapters.lookups.store import LmdbLookups
from seatrial.contract.types import TIMESTAMP
from seatrial.errors import IntegrityBroken, NotFound
from seatrial.facts.lookups import PublishedLookup
from seatrial.product.lookup_changes import changes
from seatrial.product.lookup_files import to_bytes
from seatrial.product.lookups import join, prepare
from seatrial.product.schema import Lookup
from seatrial.serve.lookups import LookupIndexes
from seatrial.serve.ports import LookupStore, LookupTable
from tests.fakes.artifacts import MemoryArtifacts

START = datetime(2025, 1, 1, tzinfo=UTC)
WEATHER = Lookup(on=("city", "gate"), as_of="seen", known_at="told", columns=("rain", "word"))
NAMES = {"rain": "rain", "word": "word"}
SCHEMA: dict[str, Any] = {
    "city": pl.String,
    "gate": pl.Int64,
    "seen": TIMESTAMP,
    "told": TIMESTAMP,
    "rain": pl.Float64,
    "word": pl.String,
}
Make = Callable[[], LookupStore]
moments = st.integers(0, 6).map(lambda hours: START + timedelta(hours=hours))
rows = st.lists(
    st.tuples(
        st.sampled_from(["Rome", "Ro", "", None, "Rome" * 200]),
        st.sampled_from([1, 2, -1, None]),
        moments,
        moments,
        st.sampled_from([1.0, -0.0, float("inf"), None]),
        st.sampled_from(["wet", "", None]),
    ),
    max_size=12,
)


@pytest.fixture
def artifacts() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, artifacts: MemoryArtifacts, tmp_path: Path) -> LookupStore:
    return LookupIndexes(artifacts) if request.param == "memory" else LmdbLookups(tmp_path, artifacts)


def table(*given_rows: tuple[Any, ...]) -> pl.DataFrame:
    return prepare(pl.DataFrame(given_rows, schema=SCHEMA, orient="row"), WEATHER, NAMES)


def published(artifacts: MemoryArtifacts, *tables: pl.DataFrame) -> PublishedLookup:
    """The first table whole, each further one as an increment."""
    increments = tuple(
        artifacts.put(to_bytes(changes(old, new, WEATHER.on))) for old, new in pairwise(tables)
    )
    return PublishedLookup(on=WEATHER.on, base=artifacts.put(to_bytes(tables[0])), increments=increments)


def opened(store: LookupStore, publication: PublishedLookup) -> LookupTable:
    found = store.open("weather", publication, WEATHER, WEATHER.columns)
    assert found is not None
    return found


def asked(*given_rows: tuple[Any, ...]) -> pl.DataFrame:
    schema: dict[str, Any] = {"city": pl.String, "gate": pl.Int64, "made_at": TIMESTAMP}
    return pl.DataFrame(given_rows, schema=schema, orient="row")


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


RAIN = ("Rome", 1, at(0), at(1), 4.0, "wet")
SUN = ("Rome", 1, at(2), at(2), None, "dry")


def words(found: LookupTable, *hours: float) -> list[Any]:
    frame = asked(*(("Rome", 1, at(hour)) for hour in hours))
    return found.find(frame, "made_at")["word"].to_list()


def test_rows_stand_from_when_they_are_known(store: LookupStore, artifacts: MemoryArtifacts) -> None:
    found = opened(store, published(artifacts, table(RAIN, SUN)))
    assert words(found, 0.9, 1, 1.9, 2, 99) == [None, "wet", "wet", "dry", "dry"]


def test_columns_come_in_the_order_and_types_asked_for(
    store: LookupStore, artifacts: MemoryArtifacts
) -> None:
    publication = published(artifacts, table(RAIN))
    found = store.open("weather", publication, WEATHER, ("word", "rain"))
    assert found is not None
    assert found.schema == pl.Schema({"word": pl.String(), "rain": pl.Float64()})
    assert found.find(asked(("Oslo", 1, at(3))), "made_at").rows() == [(None, None)]
    assert found.find(asked(("Rome", 1, at(3))), "made_at").schema == found.schema
    assert found.find(asked(), "made_at").schema == found.schema


def test_a_table_without_a_wanted_column_or_key_is_not_opened(
    store: LookupStore, artifacts: MemoryArtifacts
) -> None:
    publication = published(artifacts, table(RAIN))
    assert store.open("weather", publication, WEATHER, ("snow",)) is None
    other = Lookup(on=("street",), columns=("word",))
    assert (
        store.open("weather", msgspec.structs.replace(publication, on=("street",)), other, ("word",)) is None
    )


def test_increments_add_replace_and_remove_rows(store: LookupStore, artifacts: MemoryArtifacts) -> None:
    corrected = (*RAIN[:5], "soaked")
    first, second, third = table(RAIN), table(corrected, SUN), table(SUN)
    steps = [published(artifacts, *tables) for tables in ([first], [first, second], [first, second, third])]
    told = [words(opened(store, step), 1, 2) for step in steps]
    assert told == [["wet", "wet"], ["soaked", "dry"], [None, "dry"]]


def test_a_new_whole_table_takes_the_place_of_the_old_one(
    store: LookupStore, artifacts: MemoryArtifacts
) -> None:
    before = opened(store, published(artifacts, table(RAIN)))
    after = opened(store, published(artifacts, table(SUN)))
    store.keep([after])
    assert (words(before, 1), words(after, 1), words(after, 2)) == (["wet"], [None], ["dry"])


def test_equal_publications_are_one_table(store: LookupStore, artifacts: MemoryArtifacts) -> None:
    publication = published(artifacts, table(RAIN))
    assert opened(store, publication) is opened(store, publication)


def test_a_part_that_is_gone_or_altered_is_told(store: LookupStore, artifacts: MemoryArtifacts) -> None:
    with pytest.raises(NotFound):
        opened(store, PublishedLookup(on=WEATHER.on, base="sha256:gone"))
    publication = published(artifacts, table(RAIN), table(SUN))
    artifacts.bodies[publication.increments[0]] += b"!"
    with pytest.raises(IntegrityBroken):
        opened(store, publication)
    assert words(opened(store, published(artifacts, table(RAIN))), 1) == ["wet"]


def test_a_lookup_without_time_finds_its_row_at_any_moment(
    store: LookupStore, artifacts: MemoryArtifacts
) -> None:
    lookup = Lookup(on=("city",), columns=("opened", "day"))
    names = {name: name for name in lookup.columns}
    raw = pl.DataFrame({"city": ["Rome"], "opened": [START], "day": [date(2025, 1, 2)]})
    raw = raw.with_columns(pl.col("opened").cast(TIMESTAMP))
    publication = PublishedLookup(on=("city",), base=artifacts.put(to_bytes(prepare(raw, lookup, names))))
    found = store.open("cities", publication, lookup, lookup.columns)
    assert found is not None
    frame = asked(("Rome", 1, at(-9999)), ("Oslo", 1, at(0)), (None, 1, at(0)))
    assert found.find(frame, "made_at").rows() == [(START, date(2025, 1, 2)), (None, None), (None, None)]


def test_numbers_are_keys_by_their_value(store: LookupStore, artifacts: MemoryArtifacts) -> None:
    lookup = Lookup(on=("depth",), columns=("word",))
    nan = float("nan")
    raw = pl.DataFrame({"depth": [0.0, 1.5, nan], "word": ["zero", "more", "none"]})
    publication = PublishedLookup(
        on=("depth",), base=artifacts.put(to_bytes(prepare(raw, lookup, {"word": "word"})))
    )
    found = store.open("depths", publication, lookup, lookup.columns)
    assert found is not None
    frame = pl.DataFrame({"depth": [-0.0, 1.5, nan], "made_at": [START] * 3})
    assert found.find(frame, "made_at")["word"].to_list() == ["zero", "more", None]


@given(
    rows,
    rows,
    st.lists(
        st.tuples(
            st.sampled_from(["Rome", "Ro", "", None, "Rome" * 200]),
            st.sampled_from([1, 2, -1, None]),
            moments,
        ),
        max_size=8,
    ),
)
@settings(max_examples=40)
def test_what_is_found_is_what_training_joins(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[Any, ...]],
    second: list[tuple[Any, ...]],
    requests: list[tuple[Any, ...]],
) -> None:
    """Before and after an increment, in both stores."""
    artifacts = MemoryArtifacts()
    before, after = table(*first), table(*first, *second)
    frame = asked(*requests)
    for store in (LookupIndexes(artifacts), LmdbLookups(tmp_path_factory.mktemp("kv"), artifacts)):
        for tables in ([before], [before, after]):
            found = opened(store, published(artifacts, *tables)).find(frame, "made_at")
            joined = join(frame, tables[-1], WEATHER, "made_at")
            assert_frame_equal(found, joined.select(WEATHER.columns))

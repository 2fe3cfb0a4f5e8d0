"""Publishing lookups: what changed since the last time, whole tables now and then, and how old they are."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.cycle import publish as publishing
from seatrial.cycle.publish import MOST_COMING, newest_told, next_tables, publish
from seatrial.cycle.routes import RecordedRoutes
from seatrial.errors import LeaseLost
from seatrial.facts.lookups import CURRENT, LookupTables, PublishedLookup
from seatrial.ports.workspace import Workspace
from seatrial.product.lookup_files import from_bytes, published_table
from seatrial.product.staleness import staleness
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.tables import MemoryTables
from tests.hotel import BOOKED, hotel_product, hotel_release, weather_table

PRODUCT = hotel_product(fresh_within=7200.0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Rows = list[tuple[str, float, float]]
# Enough that a change or two are less than the whole.
PAST: Rows = [("Rome", day, float(day)) for day in range(-9, 0)]


class Press:
    """A workspace in memory, and what it publishes."""

    def __init__(self) -> None:
        self.artifacts = MemoryArtifacts()
        self.clock = MemoryClock(BOOKED)
        self.metadata = MemoryMetadata(self.clock)
        self.workspace = Workspace(
            clock=self.clock,
            metadata=self.metadata,
            tables=MemoryTables(),
            artifacts=self.artifacts,
            journal=MemoryJournal(),
        )

    def publish(self, rows: Rows, *, at: datetime = BOOKED, **options: Any) -> PublishedLookup:
        """The published weather, which must be the table of the rows."""
        table = weather_table(PRODUCT, rows)
        found = publish(self.workspace, PRODUCT, {"weather": table}, at=at, **options).lookups["weather"]
        assert_frame_equal(published_table(found, self.artifacts), table)
        return found


def test_first_the_whole_table_is_published_then_only_what_changed() -> None:
    press = Press()
    first = press.publish(PAST)
    assert (first.rows, first.increments) == (9, ())
    second = press.publish([*PAST[:-1], ("Rome", -1, 77.0), ("Oslo", -1, 5.0)], at=BOOKED + HOUR)
    assert second.base == first.base
    (increment,) = second.increments
    assert sorted(from_bytes(press.artifacts.get(increment))["rain"].to_list()) == [5.0, 77.0]
    assert (second.rows, second.changed_rows, second.changed_at) == (10, 2, BOOKED + HOUR)


def test_a_row_that_is_gone_is_published_as_removed() -> None:
    press = Press()
    press.publish(PAST)
    assert press.publish(PAST[1:]).changed_rows == 1


def test_what_did_not_change_is_the_same_publication_at_a_later_time() -> None:
    press = Press()
    rows: Any = [*PAST, ("Oslo", -1, None), ("Bern", -1, float("nan"))]
    first = press.publish(rows)
    stored = len(press.artifacts.bodies)
    assert press.publish(rows, at=BOOKED + HOUR) == first
    assert len(press.artifacts.bodies) == stored
    with press.metadata.begin() as transaction:
        published = transaction.get(LookupTables, PRODUCT.name, CURRENT)
    assert published is not None
    assert published.published_at == BOOKED + HOUR


def test_a_whole_table_takes_over_when_the_changes_outgrow_it() -> None:
    press = Press()
    press.publish(PAST)
    press.publish([*PAST, *((f"c{number}", -1, 1.0) for number in range(5))])
    rebased = press.publish([("Rome", -1, 3.0), ("Oslo", -1, 2.0)])
    assert (rebased.increments, rebased.changed_rows, rebased.rows) == ((), 0, 2)


def test_a_whole_table_takes_over_after_many_increments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "MOST_INCREMENTS", 4)
    press = Press()
    rows = [("Rome", float(-day), 1.0) for day in range(1, 9)]
    press.publish(rows)
    counts = []
    for number in range(6):
        rows.append((f"city {number}", -1, 1.0))
        counts.append(len(press.publish(rows).increments))
    assert counts == [1, 2, 3, 4, 0, 1]


def test_after_an_erasure_no_part_holds_what_was_erased() -> None:
    press = Press()
    press.publish([*PAST, ("Oslo", -1, 5.0)])
    erased = press.publish(PAST, whole=True)
    assert erased.increments == ()
    assert "Oslo" not in from_bytes(press.artifacts.get(erased.base))["city"].to_list()


def test_a_table_whose_columns_changed_is_published_whole() -> None:
    press = Press()
    first = press.publish(PAST)
    table = weather_table(PRODUCT, PAST).with_columns(wind=pl.lit(1.0))
    found = publish(press.workspace, PRODUCT, {"weather": table}, at=BOOKED).lookups["weather"]
    assert (found.base != first.base, found.increments) == (True, ())


def test_a_part_that_is_gone_is_healed_by_a_whole_table() -> None:
    press = Press()
    first = press.publish(PAST)
    press.artifacts.delete(first.base)
    assert press.publish([*PAST, ("Oslo", -1, 5.0)]).increments == ()


def test_nothing_is_recorded_once_the_lease_is_lost() -> None:
    press = Press()

    def lost(_: object) -> None:
        raise LeaseLost("another worker has it")

    with pytest.raises(LeaseLost):
        press.publish(PAST, guard=lost)
    with press.metadata.begin() as transaction:
        assert transaction.get(LookupTables, PRODUCT.name, CURRENT) is None


def test_servers_are_told_of_the_newest_tables() -> None:
    press = Press()
    published = press.publish(PAST)
    with press.metadata.begin() as transaction:
        transaction.put(hotel_release())
    table = RecordedRoutes(press.metadata, PRODUCT.name).current()
    assert table is not None
    assert (table.lookups, table.published_at) == ({"weather": published}, BOOKED)


def test_the_newest_event_is_the_latest_one_known_and_later_ones_come_in_their_time() -> None:
    table = weather_table(
        PRODUCT, [("Rome", -1, 1.0), ("Rome", 1, 2.0), ("Oslo", 0.5, 3.0), ("Rome", 3, 4.0)]
    )
    found = next_tables(None, PRODUCT, {"weather": table}, MemoryArtifacts(), at=BOOKED).lookups["weather"]
    moments = [BOOKED + day * DAY for day in (0, 0.5, 2, 3, 99)]
    newest = [BOOKED + day * DAY for day in (-1, 0.5, 1, 3, 3)]
    assert [found.newest_at(moment) for moment in moments] == newest
    assert [newest_told(table, moment) for moment in moments] == newest


def test_of_a_long_calendar_only_some_rows_are_told() -> None:
    table = weather_table(PRODUCT, [("Rome", float(day), 1.0) for day in range(1, 10_000)])
    found = next_tables(None, PRODUCT, {"weather": table}, MemoryArtifacts(), at=BOOKED).lookups["weather"]
    assert len(found.coming) <= MOST_COMING
    newest = found.newest_at(BOOKED + 9_000 * DAY)
    assert newest is not None
    assert BOOKED + 8_900 * DAY < newest <= BOOKED + 9_000 * DAY


def test_a_table_without_times_or_rows_has_no_newest_event() -> None:
    assert newest_told(pl.DataFrame({"city": ["Rome"]}), BOOKED) is None
    assert newest_told(weather_table(PRODUCT, []), BOOKED) is None


@pytest.mark.parametrize(("age", "over"), [(2 * HOUR, False), (2 * HOUR + timedelta(seconds=1), True)])
def test_a_lookup_is_stale_when_its_newest_event_is_older_than_the_contract_allows(
    age: timedelta, over: bool
) -> None:
    found = staleness(PRODUCT, "weather", BOOKED - age, BOOKED)
    assert (found.seconds, found.bound, found.is_over) == (age.total_seconds(), 7200.0, over)


def test_an_empty_lookup_is_stale_and_one_without_a_bound_never_is() -> None:
    assert staleness(PRODUCT, "weather", None, BOOKED).is_over
    assert not staleness(hotel_product(), "weather", None, BOOKED).is_over


def test_a_lookup_that_the_product_file_no_longer_has_is_published_no_more() -> None:
    table = weather_table(PRODUCT)
    found = next_tables(None, PRODUCT, {"weather": table, "gone": table}, MemoryArtifacts(), at=BOOKED)
    assert set(found.lookups) == {"weather"}

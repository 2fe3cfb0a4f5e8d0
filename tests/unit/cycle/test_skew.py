"""What the server computed, against the same decisions computed again: no difference, or one with its cause."""

import itertools
from datetime import timedelta
from typing import Any

import polars as pl

from seatrial.adapters.clock.simulated import SimulatedClock
from seatrial.contract.model import ColumnContract
from seatrial.contract.types import polars_type
from seatrial.cycle.drain import drain
from seatrial.cycle.skew import skew_of
from seatrial.cycle.tools import SourceHistory
from seatrial.data.causes import ABSENT, CORRECTED, OTHER_FILE, REQUEST, STALE, UNEXPLAINED
from seatrial.data.skew import Skew, measure_skew
from seatrial.ports.workspace import Workspace
from seatrial.product.lookups import LookupIndex
from seatrial.product.product import Product
from seatrial.serve.engine import Engine
from seatrial.serve.routing import Routes
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.sources import MemorySources
from tests.fakes.tables import MemoryTables
from tests.hotel import BOOKED, PRODUCT_FILE, hotel_product, loaded, row, stored_release

DAY = timedelta(days=1)
BOOKINGS = 6
Weather = list[tuple[str, float, float]]
RAIN: Weather = [("Rome", -9, 9.0), ("Rome", -1, 3.0), ("Oslo", -2, 5.0)]


class World:
    """Hotel bookings, their weather, and a server that answers from what was read last."""

    def __init__(self, product: Product | None = None, released: Product | None = None, **more: Any) -> None:
        self.product = product or hotel_product()
        self.clock = SimulatedClock(BOOKED)
        self.artifacts, self.journal = MemoryArtifacts(), MemoryJournal()
        self.workspace = Workspace(
            clock=self.clock,
            metadata=MemoryMetadata(self.clock),
            tables=MemoryTables(),
            artifacts=self.artifacts,
            journal=self.journal,
        )
        self.rows = [
            row(number, city=("Rome", "Oslo", None)[number % 3], **more) for number in range(BOOKINGS)
        ]
        self.sources = MemorySources({"bookings": self.bookings(), "weather": self.weather(RAIN)})
        self.history = SourceHistory(lambda: self.sources, self.workspace)
        numbers = itertools.count()
        self.writer = self.journal.writer()
        self.engine = Engine(
            None, self.writer, self.clock, ids=lambda rows: [f"p{next(numbers)}" for _ in range(rows)]
        )
        with self.workspace.metadata.begin() as transaction:
            transaction.put(stored_release(self.artifacts, product=released or self.product))

    def bookings(self, **changes: Any) -> pl.DataFrame:
        """The bookings as their source has them: the same as the requests, with their outcome."""
        columns = self.product.request.columns
        outcome = {"is_canceled": False, "refund": 0.0, "outcome_at": None}
        rows = [{**one, **outcome, **changes} for one in self.rows]
        frame = pl.DataFrame(rows, schema_overrides={"outcome_at": pl.String})
        return frame.select(
            pl.col(one.name).str.to_datetime(time_zone="UTC").cast(polars_type("timestamp"))
            if one.type == "timestamp"
            else pl.col(one.name).cast(polars_type(one.type))
            for one in columns
        )

    def weather(self, rows: Weather) -> pl.DataFrame:
        return pl.DataFrame(
            [(city, BOOKED + day * DAY, rain) for city, day, rain in rows],
            schema={"city": pl.String, "observed_at": polars_type("timestamp"), "rain": pl.Float64},
            orient="row",
        )

    def refresh(self, table: pl.DataFrame | None = None) -> None:
        """Read the sources; the server takes up the lookups (or a table that it should not have)."""
        prepared = self.history.read(self.product).lookups["weather"] if table is None else table
        index = LookupIndex(prepared, self.product.lookup("weather"))
        self.engine.routes = Routes.of(loaded(product=self.product, index=index))

    def answer(self, *rows: dict[str, Any]) -> None:
        self.engine.predict(rows or self.rows)
        self.writer.seal()

    def skew(self) -> Skew:
        """After another day, in which the sources were read again."""
        self.clock.advance(DAY)
        self.history.read(self.product)
        drain(self.workspace, self.product)
        return skew_of(self.workspace, self.product)


def served() -> World:
    """A world whose server answered all bookings from fresh lookups."""
    world = World()
    world.refresh()
    world.clock.advance(DAY)
    world.answer()
    return world


def causes(found: Skew) -> dict[str, dict[str, int]]:
    return {one.feature: one.causes for one in found.features if one.differing}


def test_nothing_differs_in_a_world_that_did_not_change() -> None:
    found = served().skew()
    assert (found.answers, found.compared, found.missed, causes(found)) == (BOOKINGS, BOOKINGS, {}, {})
    assert {one.feature for one in found.features} >= {"price", "rain", "lead_hours"}
    assert {one.compared for one in found.features} == {BOOKINGS}


def test_rows_and_outcomes_that_come_later_make_no_difference() -> None:
    world = served()
    world.sources.frames["weather"] = world.weather([*RAIN, ("Rome", 1, 7.0), ("Oslo", 9, 7.0)])
    world.sources.frames["bookings"] = world.bookings(is_canceled=True, refund=20.0)
    assert causes(world.skew()) == {}


def test_a_replaced_row_of_a_lookup_is_recomputed_as_it_was_known_then() -> None:
    world = served()
    world.sources.frames["weather"] = world.weather([RAIN[0], ("Rome", -1, 4.0), RAIN[2]])
    assert causes(world.skew()) == {}


def test_a_booking_that_was_corrected_after_the_answer_is_named() -> None:
    world = served()
    world.sources.frames["bookings"] = world.bookings(price=150.0)
    found = world.skew()
    assert causes(found) == {"price": {CORRECTED: BOOKINGS}}
    (price,) = (one for one in found.features if one.feature == "price")
    assert price.largest == 50.0


def test_a_row_that_arrived_after_the_answer_is_a_stale_lookup() -> None:
    world = served()
    world.sources.frames["weather"] = world.weather([*RAIN, ("Rome", -0.5, 7.0)])
    found = world.skew()
    assert causes(found) == {"rain": {STALE: 2}}
    assert {(one.served, one.recomputed) for one in found.differences} == {(3.0, 7.0)}


def test_a_server_that_read_an_older_publication_was_stale() -> None:
    world = World()
    world.refresh()
    world.sources.frames["weather"] = world.weather([*RAIN, ("Rome", -0.5, 7.0), ("Rome", -0.4, 8.0)])
    world.history.read(world.product)
    world.clock.advance(DAY)
    world.answer()
    assert causes(world.skew()) == {"rain": {STALE: 2}}


def test_a_server_without_any_row_of_a_lookup_was_stale() -> None:
    world = World()
    world.refresh(world.history.read(world.product).lookups["weather"].clear())
    world.answer()
    assert causes(world.skew()) == {"rain": {STALE: 4}}


def test_a_request_that_tells_something_else_is_named_with_all_that_follows_from_it() -> None:
    world = World()
    world.refresh()
    later = (BOOKED + 11 * DAY).isoformat()
    world.answer(
        {**world.rows[0], "price": 999.0},
        {**world.rows[1], "city": "Rome"},
        {**world.rows[2], "arrival_at": later},
    )
    expected = {"price": {REQUEST: 1}, "city": {REQUEST: 1}, "rain": {REQUEST: 1}}
    assert causes(world.skew()) == expected | {"lead_hours": {REQUEST: 1}}


def test_answers_that_the_sources_do_not_have_are_counted_apart() -> None:
    world = World()
    world.refresh()
    world.answer(row(77), {**world.rows[0], "booked_at": (BOOKED - DAY).isoformat()}, world.rows[1])
    found = world.skew()
    assert (found.answers, found.compared, found.missed) == (3, 1, {ABSENT: 1, REQUEST: 1})


def test_answers_of_another_product_file_are_named() -> None:
    old = hotel_product()
    world = World(hotel_product(file=PRODUCT_FILE.replace("/ 3600", "/ 60")), released=old)
    lookups = world.history.read(world.product).lookups
    index = LookupIndex(lookups["weather"], old.lookup("weather"))
    world.engine.routes = Routes.of(loaded(product=old, index=index))
    world.answer()
    assert causes(world.skew()) == {"lead_hours": {OTHER_FILE: BOOKINGS}}


def test_a_difference_without_a_cause_on_record_is_unexplained_and_shown_first() -> None:
    world = World()
    table = world.history.read(world.product).lookups["weather"]
    world.refresh(table.with_columns(rain=pl.lit(123.0)))
    world.answer(world.rows[0], {**world.rows[3], "price": 999.0})
    found = world.skew()
    assert causes(found) == {"price": {REQUEST: 1}, "rain": {UNEXPLAINED: 2}}
    assert found.unexplained == 2
    assert [one.feature for one in found.differences] == ["rain", "rain", "price"]


def test_a_correction_with_a_known_time_of_its_own_is_named_when_it_came_after_the_answer() -> None:
    """A row says that it was known before the decision; it was not here."""
    world = served()
    raw = world.weather([*RAIN, ("Rome", -1, 4.0)])
    world.sources.frames["weather"] = raw
    world.clock.advance(DAY)
    drain(world.workspace, world.product)
    history = world.history.read(world.product)
    predictions = world.workspace.tables.read("hotel.predictions")
    corrected = history.lookups["weather"].with_columns(
        rain=pl.when(pl.col("rain") == 3.0).then(4.0).otherwise("rain")
    )
    examples = history.examples.with_columns(rain=pl.when(pl.col("rain") == 3.0).then(4.0).otherwise("rain"))
    times = {"__first": BOOKED - DAY, "__last": world.clock.now(), "__versions": 2}
    arrived = (
        corrected.select("city", "__as_of")
        .unique()
        .with_columns(
            pl.lit(value).cast(pl.UInt32 if name == "__versions" else polars_type("timestamp")).alias(name)
            for name, value in times.items()
        )
    )
    found = measure_skew(
        world.product, predictions, examples, {"weather": corrected}, arrivals={"weather": arrived}
    )
    answered = int((predictions["feature_rain"] == 3.0).sum())
    assert answered
    assert causes(found) == {"rain": {CORRECTED: answered}}


def test_values_that_the_contract_hides_are_not_shown() -> None:
    note = ColumnContract(name="note", type="string", role="feature", classification="confidential")
    world = World(hotel_product(note), note="quiet room")
    world.refresh()
    world.answer({**world.rows[0], "note": "loud room", "price": 999.0})
    shown = {one.feature: (one.served, one.recomputed) for one in world.skew().differences}
    assert shown == {"note": ("***", "***"), "price": (999.0, 100.0)}

"""The daily look at predictions: once per day, faults opened when they come and closed when they are gone."""

import dataclasses
from datetime import datetime

import msgspec
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, Freshness, TableContract
from seatrial.contract.types import TIMESTAMP
from seatrial.cycle.publish import publish
from seatrial.cycle.survey import PROGRESS, Survey
from seatrial.errors import LeaseLost
from seatrial.facts.finding import Finding, Incident
from seatrial.facts.job import Progress
from seatrial.product.lookups import prepare
from seatrial.product.product import Product
from seatrial.product.schema import Lookup
from tests.parcels_loop import DAY, LAUNCH, World

CALM = "retrain: {on: []}\n"


def world_of_many() -> World:
    """Sixty parcels a day: enough to say that a feed is missing."""
    world = World(more=CALM, rows=2400)
    world.launch()
    return world


def without_size(world: World, day: int) -> None:
    """A day on which the scales were broken."""
    rows = world.sent_on(day).with_columns(size=pl.lit(None, dtype=pl.Float64))
    world.clock.advance_to(LAUNCH + day * DAY + 0.9 * DAY)
    world.answer(rows)
    world.writer.seal()
    world.clock.advance_to(LAUNCH + (day + 1) * DAY)


def findings(world: World) -> list[Finding]:
    with world.metadata.begin() as transaction:
        return [f for f in transaction.all(Finding) if f.measure not in {"loss", "value"}]


def incidents(world: World) -> list[Incident]:
    with world.metadata.begin() as transaction:
        return transaction.all(Incident)


def test_a_missing_feed_opens_an_incident_and_closes_it_when_it_is_back() -> None:
    world = world_of_many()
    worker = world.reconciler()
    world.live_through(range(1), worker)
    assert incidents(world) == []
    without_size(world, 1)
    opened = worker.tick().incidents
    assert {incident.kind for incident in opened} == {"fault"}
    assert {incident.measure for incident in opened} == {
        "missing feed: feature heavy",
        "missing feed: feature size",
    }
    without_size(world, 2)
    assert worker.tick().incidents == ()
    assert {incident.closed_at for incident in incidents(world)} == {None}
    world.live_through(range(3, 4), worker)
    assert {incident.closed_by for incident in incidents(world)} == {"recovered"}
    assert world.kinds().count("incident opened") == world.kinds().count("incident closed") == 2
    assert "job started" not in world.kinds()


def test_a_day_without_traffic_is_no_recovery() -> None:
    world = world_of_many()
    worker = world.reconciler()
    without_size(world, 0)
    assert len(worker.tick().incidents) == 2
    for _ in range(8):
        world.clock.advance(DAY)
        worker.tick()
    assert {incident.closed_at for incident in incidents(world)} == {None}


def test_a_segment_that_was_set_aside_does_not_recover_by_itself() -> None:
    world = world_of_many()
    worker = world.reconciler()
    world.writer.append("predictions", [b"noise"])
    world.live_through(range(3), worker)
    assert [(one.measure, one.closed_at) for one in incidents(world)] == [("segment set aside", None)]


def test_a_day_is_looked_at_once() -> None:
    world = world_of_many()
    world.live_through(range(2))
    before = findings(world)
    assert before
    for hours in (1, 5, 17):
        world.clock.advance_to(LAUNCH + 2 * DAY + hours / 24 * DAY)
        world.reconciler().tick()
    assert findings(world) == before
    with world.metadata.begin() as transaction:
        progress = transaction.get(Progress, world.product.name, PROGRESS)
    assert progress is not None
    assert progress.position == (LAUNCH + 2 * DAY).toordinal()


def test_each_monday_looks_for_drift_over_the_week() -> None:
    world = world_of_many()
    world.live_through(range(8))
    drifts = {f.at.weekday() for f in findings(world) if f.window_to - f.window_from == 7 * DAY}
    assert drifts == {0}


def test_a_lost_lease_stores_no_finding() -> None:
    world = world_of_many()
    world.serve_day(0)
    lease = world.metadata.acquire("loop:late-parcels", "one", 600)
    worker = world.reconciler()
    world.clock.advance(DAY)
    assert lease is not None
    with pytest.raises(LeaseLost):
        worker.survey.take_in(lease)
    assert findings(world) == []
    assert len(worker.survey.take_in(None)) == 0


def with_weather(product: Product, fresh_within: float) -> Product:
    """The product with a lookup whose contract bounds its age in seconds."""
    lookup = Lookup(on=("city",), as_of="seen", columns=("rain",))
    examples = product.file.examples.model_copy(update={"lookups": {"weather": lookup}})
    columns = (
        ColumnContract(name="city", type="string"),
        ColumnContract(name="seen", type="timestamp"),
        ColumnContract(name="rain", type="float"),
    )
    bound = Freshness(column="seen", seconds=fresh_within)
    weather = TableContract(name="weather", columns=columns, freshness=(bound,))
    contract = msgspec.structs.replace(product.contract, tables=(*product.contract.tables, weather))
    return dataclasses.replace(
        product,
        file=product.file.model_copy(update={"examples": examples}),
        contract=contract,
        lookup_names={"weather": {"rain": "rain"}},
    )


def publish_weather(world: World, product: Product, *seen: datetime) -> None:
    raw = pl.DataFrame(
        [("Oslo", moment, 1.0) for moment in seen],
        schema={"city": pl.String, "seen": TIMESTAMP, "rain": pl.Float64},
        orient="row",
    )
    table = prepare(raw, product.lookup("weather"), {"rain": "rain"})
    publish(world.workspace, product, {"weather": table}, at=world.clock.now())


def test_a_lookup_older_than_its_contract_allows_opens_an_incident_until_it_is_fresh_again() -> None:
    """Without any traffic: what is stale is told before it hurts an answer."""
    world = world_of_many()
    product = with_weather(world.product, fresh_within=1.5 * DAY.total_seconds())
    survey = Survey(world.workspace, product)
    publish_weather(world, product, LAUNCH, LAUNCH + DAY)  # the second row is known a day later
    opened = []
    for _ in range(4):
        opened.append([incident.measure for incident in survey.take_in(None)])
        world.clock.advance(DAY)
    assert opened == [[], [], [], ["stale lookup weather"]]
    (incident,) = incidents(world)
    assert incident.began_at == LAUNCH + 2.5 * DAY
    publish_weather(world, product, LAUNCH, world.clock.now())
    assert survey.take_in(None) == []
    (incident,) = incidents(world)
    assert incident.closed_by == "recovered"

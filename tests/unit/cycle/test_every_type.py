"""A product with columns of every type of a contract, taken through the whole loop."""

import itertools
import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from seatrial.adapters.clock.simulated import SimulatedClock
from seatrial.contract.types import TIMESTAMP
from seatrial.cycle.quarantine import declare, drafted, replay
from seatrial.cycle.reconcile import Reconciler
from seatrial.cycle.retrain import Workshop
from seatrial.cycle.routes import RecordedRoutes
from seatrial.cycle.skew import skew_of
from seatrial.cycle.stages import make_snapshot, release_newest, train_newest
from seatrial.cycle.tools import FixedHistory, SourceHistory, Tools
from seatrial.cycle.why import why
from seatrial.data.digest import rows_digest
from seatrial.data.landing import Landing
from seatrial.data.profiles import summaries
from seatrial.data.read import stored_tables
from seatrial.data.snapshot import load_snapshot
from seatrial.data.states import profile_of
from seatrial.facts.prediction import PredictionBlock
from seatrial.facts.records import PREDICTIONS, decode_predictions
from seatrial.facts.release import Phase
from seatrial.facts.tables import table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.lookup_files import from_bytes, to_bytes
from seatrial.product.lookups import LookupIndex
from seatrial.product.product import Product
from seatrial.readiness.run import assess
from seatrial.rehearse.rehearse import rehearse
from seatrial.rehearse.replay import Scratch
from seatrial.serve.engine import Engine
from seatrial.serve.loading import load_release
from seatrial.serve.outcomes import OutcomeIntake
from seatrial.serve.routing import Routes
from seatrial.value.ledger import current
from seatrial.web.report.gathering import gathered
from seatrial.web.report.page import page
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.sources import MemorySources
from tests.fakes.tables import MemoryTables
from tests.fakes.training import CountingFramework, CountingRuntime
from tests.repairs import (
    DAY,
    PRODUCT_FILE,
    START,
    models,
    outcome,
    repairs,
    repairs_product,
    request,
    settled_at,
)

LAUNCH = START + 30 * DAY
DAYS, PER_DAY = 8, 8
ANSWERED = range(240, 240 + DAYS * PER_DAY)


def workspace_at(moment: datetime) -> tuple[Workspace, SimulatedClock, MemoryJournal]:
    clock, journal = SimulatedClock(moment), MemoryJournal()
    workspace = Workspace(
        clock=clock,
        metadata=MemoryMetadata(clock),
        tables=MemoryTables(),
        artifacts=MemoryArtifacts(),
        journal=journal,
    )
    return workspace, clock, journal


class Shop:
    """Repairs for a month, a model of them, and the days after its launch, answered and reported as JSON."""

    def __init__(self) -> None:
        self.product: Product = repairs_product()
        self.workspace, self.clock, journal = workspace_at(LAUNCH)
        self.sources = MemorySources({"repairs": repairs(range(208)), "models": models()})
        self.history = SourceHistory(lambda: self.sources, self.workspace)
        self.tools = Tools(self.history, CountingFramework(), CountingRuntime())
        self.workshop = Workshop(self.product, self.workspace, self.tools)
        self.snapshot = make_snapshot(self.workshop)
        train_newest(self.workshop, why="first")
        self.release = release_newest(self.workshop, why="first")
        self.writer = journal.writer("server")
        names = itertools.count()
        self.engine = Engine(
            None, self.writer, self.clock, ids=lambda rows: [f"p{next(names)}" for _ in range(rows)]
        )
        self.journaled: list[PredictionBlock] = []

    def live(self) -> None:
        intake = OutcomeIntake(self.product, self.writer, self.clock)
        worker = Reconciler(self.product, self.workspace, self.tools, holder="loop")
        for day in range(DAYS):
            numbers = ANSWERED[day * PER_DAY : (day + 1) * PER_DAY]
            self.clock.advance_to(LAUNCH + (day + 1) * DAY - timedelta(minutes=1))
            self.answer([request(number) for number in numbers])
            reports = [{"key": f"r{n}", "known_at": settled_at(n).isoformat(), **outcome(n)} for n in numbers]
            assert intake.accept(json.loads(json.dumps(reports))).refused == ()
            self.writer.seal()
            sealed = self.workspace.journal.sealed()
            records = [
                record for segment in sealed if segment.kind == PREDICTIONS for record in segment.records
            ]
            self.journaled += map(decode_predictions, records)
            self.clock.advance_to(LAUNCH + (day + 1) * DAY)
            assert worker.tick().incidents == ()
        self.clock.advance(8 * DAY)
        worker.tick()
        self.sources.frames["repairs"] = repairs(range(ANSWERED.stop))
        self.history.read(self.product)

    def answer(self, rows: list[dict[str, object]]) -> None:
        table = RecordedRoutes(self.workspace.metadata, self.product.name).current()
        assert table is not None
        live = load_release(table.live, self.workspace.artifacts, self.tools.runtime)
        self.engine.routes = Routes.of(live)
        self.engine.predict(json.loads(json.dumps(rows)))

    def stored(self, table: str) -> pl.DataFrame:
        return self.workspace.tables.read(table_name(self.product.name, table))


@pytest.fixture(scope="module")
def shop() -> Shop:
    made = Shop()
    made.live()
    return made


def test_a_snapshot_holds_every_type_and_names_its_rows(shop: Shop) -> None:
    rows = load_snapshot(shop.snapshot, shop.workspace.tables)
    assert (rows.schema["due_on"], rows.schema["sold_until"], rows.schema["fetched_on"]) == (pl.Date(),) * 3
    [found] = rows.filter(pl.col("repair") == "r4").to_dicts()
    assert (found["due_on"], found["promised"]) == (date(2025, 1, 3), "12:30:00.250000")
    assert (found["faults"], found["note"]) == (
        '["cable",4,{"loose":true}]',
        '{"a":[1.5,null],"from":{"shelf":4}}',
    )
    assert rows_digest(rows.reverse()) == shop.snapshot.id
    later = rows.with_columns(pl.col("due_on") + pl.duration(days=1))
    assert rows_digest(later) != shop.snapshot.id


def test_a_lookup_by_a_date_as_of_a_date_is_found_alike_in_training_and_serving(shop: Shop) -> None:
    rows = load_snapshot(shop.snapshot, shop.workspace.tables)
    history = shop.history.read(shop.product)
    lookup = shop.product.lookup("models")
    index = LookupIndex(from_bytes(to_bytes(history.lookups["models"])), lookup)
    found = index.find(rows.select("model", "made_on", "taken_at"), "taken_at")
    assert rows.select(found.columns).equals(found)
    assert set(rows["price"].unique()) == {None, 10.0, 11.0}  # without a date of making, nothing is found


def test_expressions_read_dates_times_and_arrays(shop: Shop) -> None:
    rows = load_snapshot(shop.snapshot, shop.workspace.tables)
    [found] = rows.filter(pl.col("repair") == "r1").to_dicts()
    assert (found["weekday"], found["hour"], found["is_red"]) == (5.0, 9.0, True)
    assert found["days_on_sale"] == (datetime(2026, 1, 1, tzinfo=UTC) - found["taken_at"]) / DAY
    assert found["matured_at"] == datetime(2025, 1, 6, tzinfo=UTC)


def test_records_hold_dates_as_text_and_tables_hold_them_as_dates(shop: Shop) -> None:
    held = shop.journaled[0].features
    assert (held["due_on"][0], held["made_on"][0]) == ("2025-02-02", "2020-02-29")
    assert "seen_at" not in held
    stored = shop.stored("predictions")
    [row] = stored.filter(pl.col("key") == "r240").to_dicts()
    assert (row["feature_due_on"], row["feature_sold_until"]) == (date(2025, 2, 2), date(2027, 1, 1))
    assert row["feature_promised"] == "14:30:00.250000"
    assert (row["feature_faults"], row["feature_specs"]) == (
        '["cable",0,{"loose":true}]',
        '{"parts":[{"n":1}],"watts":100}',
    )


def test_outcomes_of_every_type_reach_their_table(shop: Shop) -> None:
    stored = shop.stored("outcomes")
    assert (stored.schema["outcome_fetched_on"], stored.schema["outcome_told_at"]) == (pl.Date(), TIMESTAMP)
    [row] = stored.filter(pl.col("key") == "r241").to_dicts()
    assert row["outcome_fetched_on"] == date.fromisoformat(outcome(241)["fetched_on"])
    assert row["outcome_told_at"] == datetime.fromisoformat(outcome(241)["told_at"])
    assert row["outcome_fetched_time"] == "17:00:00.500000"
    assert (row["outcome_replaced"], row["outcome_bill"]) == ('["fuse"]', '{"paid":false,"sum":241}')


def test_value_is_booked_from_dates_of_both_sides(shop: Shop) -> None:
    ledger = current(shop.stored("ledger"))
    assert ledger.height == len(ANSWERED)
    assert ledger["value"].null_count() == 0
    acted = {row["key"]: row["value"] for row in ledger.iter_rows(named=True) if row["decision"]}
    right = {f"r{n}": 4.0 * weekday(n) for n in ANSWERED if outcome(n)["late"]}
    assert acted.items() <= ({f"r{n}": -3.0 for n in ANSWERED} | right).items()
    assert len(acted.keys() & right.keys()) > 10


def weekday(number: int) -> int:
    """The day of the week on which it was fetched; Sunday is 0."""
    return date.fromisoformat(outcome(number)["fetched_on"]).isoweekday() % 7


def test_nothing_is_skewed(shop: Shop) -> None:
    found = skew_of(shop.workspace, shop.product)
    assert (found.answers, found.compared, found.differences) == (len(ANSWERED), len(ANSWERED), ())
    named = {one.feature for one in found.features}
    assert named == shop.product.columns.keys() - {"taken_at", "seen_at"}


def test_why_profile_report_and_readiness_tell_of_every_type(shop: Shop) -> None:
    [answer] = why(shop.product, shop.workspace, ["r3"])
    assert answer.reason == "in the snapshot"
    profile = profile_of(shop.snapshot, shop.workspace.artifacts)
    assert profile is not None
    told = {one.name: one for one in summaries(profile)}
    assert told["due_on"].minimum == datetime(2025, 1, 3, tzinfo=UTC)
    assert dict(told["colours"].top).keys() == {"[]", '["red","blue"]'}
    html = page(gathered(shop.workspace, shop.product))
    assert all(name in html for name in shop.product.columns)
    results = {one.id: one for one in assess(shop.workspace, shop.product).results}
    assert "Negative control: a recorded row" in results["O2"].evidence
    assert "refused with 1 fault" in results["O2"].evidence


def test_rows_in_quarantine_are_corrected_in_dates_and_arrays(shop: Shop) -> None:
    product, workspace = shop.product, workspace_at(LAUNCH)[0]
    broken = repairs(range(100)).with_columns(pl.col("due_on").cast(pl.String))
    for number, column, text in ((5, "due_on", "tomorrow"), (6, "faults", "[1"), (7, "promised", "noon")):
        here = pl.col("repair") == f"r{number}"
        broken = broken.with_columns(pl.when(here).then(pl.lit(text)).otherwise(column).alias(column))
    sources = MemorySources({"repairs": broken, "models": models()})
    Landing(product, sources, workspace).land()
    changes = {"due_on": "CAST(taken_at AS DATE)", "faults": "'[2]'", "promised": "'12:00:00.5'"}
    for column, expression in changes.items():
        correction = drafted(
            product,
            workspace,
            source="repairs",
            rule=f"{column}.type",
            values={column: expression},
            where="",
            why="told by the desk",
            by="ann",
        )
        declare(workspace, correction)
        assert replay(product, workspace, "repairs", rule=f"{column}.type", actor="ann").rows == 1
    rows = stored_tables(product, workspace).frames["repairs"].sort("taken_at")
    assert rows.height == 100
    assert rows[5, "due_on"] == date(2025, 1, 2)
    assert (rows[6, "faults"], rows[7, "promised"]) == ("[2]", "12:00:00.500000")


def test_a_rehearsal_sends_arrays_and_objects_as_a_caller_would() -> None:
    product = repairs_product(PRODUCT_FILE + "retrain: {on: []}\n")
    past, _, _ = workspace_at(START + 100 * DAY)
    sources = MemorySources({"repairs": repairs(range(320)), "models": models()})
    history = SourceHistory(lambda: sources, past).read(product)
    workspace, clock, journal = workspace_at(LAUNCH)
    tools = Tools(FixedHistory(history), CountingFramework(), CountingRuntime())
    scratch = Scratch(
        workspace=workspace, clock=clock, journal=journal.writer(), tools=tools, history=history
    )
    said: list[object] = []
    report = rehearse(
        product,
        scratch,
        start=LAUNCH,
        end=LAUNCH + 5 * DAY,
        on_event=said.append,
        on_day=lambda day, rows: said.append(day),
        on_phase=said.append,
    )
    assert report.rows == 5 * PER_DAY
    assert {line.policy for line in report.policies} >= {"frozen", "baseline"}


def test_the_first_release_went_live(shop: Shop) -> None:
    assert shop.release.phase is Phase.LIVE

"""What the books, the routes and the overview say of a product, and the record of a rehearsal."""

import pytest

from seatrial.cycle.books import ledger_of, recorded_statement, statement_of
from seatrial.cycle.overview import overview_of
from seatrial.cycle.records import keep_rehearsal
from seatrial.cycle.retrain import open_job
from seatrial.cycle.routes import RecordedRoutes
from seatrial.facts.rehearsal import RehearsalReport
from seatrial.facts.release import Phase
from tests import launched
from tests.parcels_loop import DAY, World


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    world.launch()
    world.live_through(range(6))
    return world


def test_the_statement_sums_the_standing_rows_of_answers(world: World) -> None:
    booked = ledger_of(world.workspace, world.product.name)
    answers = booked.filter(booked["assigned"] != "shadow")
    said = statement_of(world.workspace, world.product)
    assert said.matured == answers.height
    assert said.value.value == pytest.approx(answers["value"].sum())
    assert said.unit == "EUR"


def test_answers_that_have_not_matured_are_waiting(world: World) -> None:
    said = statement_of(world.workspace, world.product)
    answered = sum(world.sent_on(day).height for day in range(6))
    assert (said.decisions, said.waiting) == (answered, answered - said.matured)
    assert said.waiting > 0


def test_each_release_is_held_to_its_own_promise(world: World) -> None:
    [line] = statement_of(world.workspace, world.product).releases
    assert line.release == "r0001"
    assert line.promised is not None
    assert line.promised.value is not None


def test_the_recorded_statement_needs_no_product_folder(world: World) -> None:
    assert recorded_statement(world.workspace, world.product.name) == statement_of(
        world.workspace, world.product
    )
    assert recorded_statement(World().workspace, "late-parcels") is None


def test_books_that_were_never_opened_are_empty() -> None:
    fresh = World()
    assert ledger_of(fresh.workspace, "late-parcels").is_empty()
    assert statement_of(fresh.workspace, fresh.product).decisions == 0


def test_the_routes_are_the_live_release_and_its_challenger(world: World) -> None:
    table = RecordedRoutes(world.metadata, world.product.name).current()
    assert table is not None
    assert table.challenger is not None
    assert (table.live.id, table.challenger.id) == ("r0001", "r0002")
    assert RecordedRoutes(world.metadata, "other").current() is None


def test_the_overview_gathers_what_is_open(world: World) -> None:
    seen = overview_of(world.workspace, world.product.name)
    assert seen.live is not None
    assert seen.challenger is not None
    assert (seen.live.phase, seen.challenger.phase) == (Phase.LIVE, Phase.SHADOW)
    assert (seen.jobs, seen.incidents, seen.readiness) == ([], [], None)
    fresh = World()
    job = open_job(fresh.workshop(), why="age")
    assert overview_of(fresh.workspace, "late-parcels").jobs == [job]
    assert overview_of(fresh.workspace, "late-parcels").live is None


def test_a_rehearsal_is_kept_under_the_workspaces_time_with_its_values() -> None:
    fresh = World()
    fresh.clock.advance(DAY)
    report = launched.rehearsal()
    keep_rehearsal(fresh.workspace, report)
    with fresh.metadata.begin() as transaction:
        [kept] = transaction.all(RehearsalReport)
        [entry] = transaction.logbook()
    assert kept.at == fresh.clock.now() != report.at
    assert (entry.kind, entry.subject) == ("rehearsal finished", report.id)
    assert entry.body["value"] == {line.policy: line.value.value for line in report.policies}

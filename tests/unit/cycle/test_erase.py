"""Erasure takes every trace of a value, keeps the money, and proves it without the value."""

from datetime import timedelta
from typing import Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.cycle.books import statement_of
from seatrial.cycle.erase import erase, erasures_of, found_of, proofs
from seatrial.cycle.settle import Settlement
from seatrial.cycle.tally import stored_totals
from seatrial.cycle.tools import SourceHistory
from seatrial.data.snapshot import load_snapshot
from seatrial.errors import DataRefused, NotFound
from seatrial.facts.erasure import DONE, Erasure
from seatrial.facts.load import Load
from seatrial.facts.logbook import chain_faults
from seatrial.facts.lookups import CURRENT, LookupTables
from seatrial.facts.records import decode_predictions
from seatrial.facts.release import Release
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.lookup_files import from_bytes, published_table
from seatrial.product.product import Product
from tests import ledger_streams
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata
from tests.fakes.tables import MemoryTables
from tests.fakes.workspace import memory_workspace
from tests.forgetting import BROKEN, GONE, SHIP, STAYS, lived, product, sources
from tests.harbour import START

ASKED: dict[str, Any] = {"why": "asked by the captain", "by": "ann"}


@pytest.fixture(scope="module")
def harbour() -> Product:
    return product()


@pytest.fixture
def workspace(harbour: Product) -> Workspace:
    made = memory_workspace(MemoryClock(START + timedelta(days=30)))
    assert isinstance(made.journal, MemoryJournal)
    lived(made, made.journal.writer("server"), harbour)
    return made


def everything(workspace: Workspace) -> str:
    """All that the workspace holds, as text: tables, artifacts decoded where they are tables, facts, journal."""
    tables, artifacts = workspace.tables, workspace.artifacts
    metadata, journal = workspace.metadata, workspace.journal
    assert isinstance(tables, MemoryTables)
    assert isinstance(artifacts, MemoryArtifacts)
    assert isinstance(metadata, MemoryMetadata)
    assert isinstance(journal, MemoryJournal)
    bodies = [
        str(from_bytes(body).to_dicts()) if body.startswith(b"PAR1") else body.decode()
        for body in artifacts.bodies.values()
    ]
    frames = [str(frame.to_dicts()) for frame in tables.frames.values()]
    kept = [str(segment.records) for segment, _ in journal.kept_aside.values()]
    waiting = [str(segment.records) for segment in journal.segments.values()]
    return "\n".join([*bodies, *frames, *kept, *waiting, str(metadata.state)])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("key", GONE),
        ("call", GONE),
        ("calls.call", GONE),
        ("ship", SHIP),
        ("ships.ship", SHIP),
        ("key", BROKEN),
    ],
)
def test_no_trace_is_left(harbour: Product, workspace: Workspace, column: str, value: str) -> None:
    assert value in everything(workspace)
    erase(workspace, harbour, column=column, value=value, **ASKED)
    assert value not in everything(workspace)


def test_everything_else_stays(harbour: Product, workspace: Workspace) -> None:
    tables = workspace.tables
    before = {name: tables.read(name) for name in tables.names("harbour.source.")}
    erase(workspace, harbour, column="key", value=GONE, **ASKED)
    calls = before["harbour.source.calls"]
    assert_frame_equal(tables.read("harbour.source.calls"), calls.filter(pl.col("call") != GONE))
    assert_frame_equal(tables.read("harbour.source.ships"), before["harbour.source.ships"])
    assert_frame_equal(tables.read("harbour.source.tides"), before["harbour.source.tides"])
    assert STAYS in everything(workspace)
    predictions = tables.read(table_name("harbour", "predictions"))
    assert sorted(predictions["prediction_id"]) == ["p1", "p3", "p4", "p5", "p6"]
    outcomes = tables.read(table_name("harbour", "outcomes"))
    assert sorted(outcomes["key"].drop_nulls()) == ["call-0004", "call-0006"]
    assert isinstance(workspace.journal, MemoryJournal)
    actions = tables.read(table_name("harbour", "actions"))
    assert sorted(actions["key"].drop_nulls()) == ["call-0004", "call-0006"]
    assert sorted(actions["prediction_id"].drop_nulls()) == ["p1", "p3", "p5"]
    ((segment, _),) = workspace.journal.kept_aside.values()
    single, block = map(decode_predictions, segment.records)
    assert (single.key, block.key) == (["call-0003"], ["call-0003", "call-0004"])


def test_money_stays_in_the_ledger_without_whose_it_was(harbour: Product, workspace: Workspace) -> None:
    name = table_name("harbour", "ledger")
    before = workspace.tables.read(name).sort("prediction_id")
    erase(workspace, harbour, column="key", value=GONE, **ASKED)
    after = workspace.tables.read(name).sort("prediction_id")
    assert after["key"].to_list() == ["call-0001", "erased", "call-0003", "call-0004"]
    assert after["unit"].to_list() == after["key"].to_list()
    assert_frame_equal(after.drop("key", "unit"), before.drop("key", "unit"))


def test_bookings_of_another_columns_value_are_found_by_their_predictions(
    harbour: Product, workspace: Workspace
) -> None:
    erase(workspace, harbour, column="ship", value=SHIP, **ASKED)
    ledger = workspace.tables.read(table_name("harbour", "ledger")).sort("prediction_id")
    assert ledger["key"].to_list() == ["call-0001", "erased", "call-0003", "erased"]
    outcomes = workspace.tables.read(table_name("harbour", "outcomes"))
    assert sorted(outcomes["key"].drop_nulls()) == ["call-0006"]


def test_snapshots_say_what_they_lost_and_load_again(harbour: Product, workspace: Workspace) -> None:
    erasure = erase(workspace, harbour, column="key", value="call-0004", **ASKED)
    with workspace.metadata.begin() as transaction:
        first, second = transaction.all(Snapshot, "harbour")
    assert (first.erased, first.remaining) == (0, "")
    assert second.erased == 1
    assert (erasure.snapshots, erasure.models) == ((second.id,), ("m2",))
    assert load_snapshot(first, workspace.tables).height == 3
    left = load_snapshot(second, workspace.tables)
    assert left.height == second.rows - 1
    assert "call-0004" not in left["call"].to_list()


def test_models_of_erased_rows_are_flagged(harbour: Product, workspace: Workspace) -> None:
    erasure = erase(workspace, harbour, column="key", value="call-0004", **ASKED)
    with workspace.metadata.begin() as transaction:
        assert erasures_of(transaction, "harbour", "m2") == [erasure]
        assert erasures_of(transaction, "harbour", "m1") == []


def test_servers_get_lookups_without_the_rows_and_releases_too(
    harbour: Product, workspace: Workspace
) -> None:
    erase(workspace, harbour, column="ship", value=SHIP, **ASKED)
    with workspace.metadata.begin() as transaction:
        published = transaction.get(LookupTables, "harbour", CURRENT)
        (release,) = transaction.all(Release, "harbour")
    assert published is not None
    ships = published_table(published.lookups["ships"], workspace.artifacts)
    assert ships["ship"].to_list() == ["Argo", "Calypso"]
    assert not published.lookups["ships"].increments
    assert published_table(published.lookups["tides"], workspace.artifacts).height == 2
    bundled = from_bytes(workspace.artifacts.get(release.bundle.lookups["ships"]))
    assert bundled["ship"].to_list() == ["Argo", "Calypso"]
    artifacts = workspace.artifacts
    with workspace.metadata.begin() as transaction:
        assert all(artifacts.has(load.profile) for load in transaction.all(Load, "harbour"))


def test_what_is_delivered_again_is_not_taken_in(harbour: Product, workspace: Workspace) -> None:
    erase(workspace, harbour, column="key", value=GONE, **ASKED)
    again = sources()
    again.frames["calls"] = again.frames["calls"].with_columns(crew=pl.col("crew") + 1)
    history = SourceHistory(make_reader=lambda: again, workspace=workspace).read(harbour)
    assert GONE not in history.examples["call"].to_list()
    assert history.examples.height == 6
    assert GONE not in everything(workspace)
    with workspace.metadata.begin() as transaction:
        assert transaction.all(Load, "harbour")[-1].suppressed == 1


def test_the_logbook_proves_it_without_the_value(harbour: Product, workspace: Workspace) -> None:
    erasure = erase(workspace, harbour, column="key", value=GONE, **ASKED)
    (proof,) = proofs(workspace, harbour, GONE)
    assert proof.erasure == erasure
    (entry,) = proof.entries
    assert (entry.kind, entry.subject, entry.actor) == ("erased", erasure.id, "ann")
    assert (entry.body["commitment"], entry.body["rows"]) == (erasure.commitment, erasure.rows)
    assert proofs(workspace, harbour, STAYS) == ()
    with workspace.metadata.begin() as transaction:
        assert chain_faults(transaction.logbook()) == []


def test_looking_first_changes_nothing_and_tells_the_same(harbour: Product, workspace: Workspace) -> None:
    before = everything(workspace)
    found = found_of(workspace, harbour, column="key", value="call-0004")
    assert everything(workspace) == before
    erasure = erase(workspace, harbour, column="key", value="call-0004", **ASKED)
    assert (found.snapshots, found.models) == (erasure.snapshots, erasure.models)
    assert found.rows == erasure.rows


def test_erasing_again_changes_nothing(harbour: Product, workspace: Workspace) -> None:
    erasure = erase(workspace, harbour, column="key", value=GONE, **ASKED)
    before = everything(workspace)
    assert erase(workspace, harbour, column="key", value=GONE, why="again", by="ben") == erasure
    assert everything(workspace) == before


def test_what_came_again_is_erased_again_and_added_up(harbour: Product, workspace: Workspace) -> None:
    first = erase(workspace, harbour, column="key", value=GONE, **ASKED)
    calls = workspace.tables.read("harbour.source.calls").head(1).with_columns(call=pl.lit(GONE))
    workspace.tables.append("harbour.source.calls", calls, writer="smuggler", version=1)
    second = erase(workspace, harbour, column="key", value=GONE, **ASKED)
    assert second.state == DONE
    assert second.id == first.id
    assert second.rows["harbour.source.calls"] == first.rows["harbour.source.calls"] + 1
    (proof,) = proofs(workspace, harbour, GONE)
    assert len(proof.entries) == 2


def test_a_second_value_is_committed_under_the_same_salt(harbour: Product, workspace: Workspace) -> None:
    first = erase(workspace, harbour, column="key", value=GONE, **ASKED)
    second = erase(workspace, harbour, column="ship", value=SHIP, **ASKED)
    assert (first.id, second.id) == ("e0001", "e0002")
    assert first.salt == second.salt
    assert first.commitment != second.commitment
    with workspace.metadata.begin() as transaction:
        assert transaction.all(Erasure, "harbour") == [first, second]


def test_a_number_is_found_however_it_is_written(harbour: Product, workspace: Workspace) -> None:
    found = found_of(workspace, harbour, column="crew", value=" 12 ")
    assert found.rows["harbour.source.calls"] == 1
    assert found.rows["harbour.predictions"] == 1
    assert found == found_of(workspace, harbour, column="calls.crew", value="12")


def test_a_column_that_is_not_there_is_told_with_those_that_are(
    harbour: Product, workspace: Workspace
) -> None:
    with pytest.raises(NotFound, match=r"no source has a column captain.*announced_at, basin"):
        erase(workspace, harbour, column="captain", value="x", **ASKED)
    with pytest.raises(NotFound, match="no source has a column tides"):
        erase(workspace, harbour, column="tides.ship", value="x", **ASKED)


def test_an_empty_value_is_refused(harbour: Product, workspace: Workspace) -> None:
    with pytest.raises(DataRefused, match="expected a value of ship"):
        erase(workspace, harbour, column="ship", value=" ", **ASKED)


def test_a_value_that_nothing_holds_is_recorded_and_suppressed(
    harbour: Product, workspace: Workspace
) -> None:
    erasure = erase(workspace, harbour, column="ship", value="Nautilus", **ASKED)
    assert (erasure.state, erasure.rows) == (DONE, {})
    assert msgspec.json.encode(erasure).find(b"Nautilus") == -1


@pytest.fixture
def parcels() -> Workspace:
    """Three parcels that have matured and were not booked: two with outcomes, one reported by key."""
    made = memory_workspace(MemoryClock(ledger_streams.FIRST + timedelta(days=30)))
    rows = ledger_streams.predictions([{"prediction_id": name} for name in ("ann", "ben", "eve")])
    reports = [{"prediction_id": "ann", "late": True}, {"key": "key-ben", "late": True}]
    reported = ledger_streams.outcomes([{"key": None, "prediction_id": None} | one for one in reports])
    made.tables.append("parcels.predictions", rows, writer="w", version=1)
    made.tables.append("parcels.outcomes", reported, writer="w", version=1)
    return made


@pytest.mark.parametrize("name", ["ann", "ben"])
def test_what_has_matured_is_booked_before_it_goes(parcels: Workspace, name: str) -> None:
    of = ledger_streams.product()
    erase(parcels, of, column="key", value=f"key-{name}", **ASKED)
    ledger = parcels.tables.read("parcels.ledger").sort("prediction_id")
    assert ledger["value"].to_list() == [10.0, 10.0, None]
    assert ledger.filter(pl.col("key") == "erased")["prediction_id"].to_list() == [name]
    assert parcels.tables.rows("parcels.outcomes") == 1


def test_what_was_counted_of_answers_counts_on(parcels: Workspace) -> None:
    of = ledger_streams.product()
    erase(parcels, of, column="key", value="key-ann", **ASKED)
    totals = stored_totals(parcels, "parcels")
    assert totals is not None
    assert (totals.settled, totals.joined, totals.without_outcome) == (3, 2, 1)
    again = Settlement(parcels, of)
    assert (again.totals.settled, again.totals.joined) == (3, 2)
    assert again.pending == 0


def test_the_statement_stays_as_it_was(parcels: Workspace) -> None:
    of = ledger_streams.product()
    late = ledger_streams.predictions([{"prediction_id": "new", "made_at": parcels.clock.now()}])
    parcels.tables.append("parcels.predictions", late, writer="w", version=2)
    Settlement(parcels, of).settle(parcels.clock.now())
    before = statement_of(parcels, of)
    erase(parcels, of, column="key", value="key-ann", **ASKED)
    erase(parcels, of, column="key", value="key-ben", **ASKED)
    assert statement_of(parcels, of) == before
    assert before.waiting == 1

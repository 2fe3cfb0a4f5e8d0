"""Retention removes what is older than the product file says, and keeps what is still needed."""

from datetime import timedelta

import msgspec
import polars as pl
import pytest

from seatrial.cycle.retention import LOGGED, overdue, removed_on_day, retain, retain_daily
from seatrial.cycle.tools import SourceHistory
from seatrial.data.landing import Landing
from seatrial.data.snapshot import load_snapshot
from seatrial.facts.load import Load
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.workspace import Workspace
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.fakes.sources import MemorySources
from tests.fakes.workspace import memory_workspace
from tests.forgetting import lived, product, sources
from tests.harbour import START, frame, tide

TEN_DAYS = product("governance: {retention: 10d}\n")
# Calls are announced one to six hours after the start; this is ten days after the third.
NOW = START + timedelta(days=10, hours=3, minutes=30)


@pytest.fixture
def workspace() -> Workspace:
    made = memory_workspace(MemoryClock(NOW))
    assert isinstance(made.journal, MemoryJournal)
    # Before anybody asked for retention: with it, what is too old would not have been taken in.
    lived(made, made.journal.writer("server"), product())
    return made


def _ids(workspace: Workspace, table: str, column: str) -> list[str]:
    return sorted(workspace.tables.read(f"harbour.{table}")[column].drop_nulls().to_list())


def test_without_retention_everything_stays(workspace: Workspace) -> None:
    assert retain(workspace, product(), NOW + timedelta(days=5000)) == {}
    with workspace.metadata.begin() as transaction:
        assert [entry for entry in transaction.logbook() if entry.kind == LOGGED] == []


def test_what_is_older_goes_and_is_counted(workspace: Workspace) -> None:
    gone = retain(workspace, TEN_DAYS, NOW)
    assert gone == {
        "harbour.ledger": 3,
        "harbour.outcomes": 2,
        "harbour.actions": 2,
        "harbour.predictions": 3,
        "harbour.source.calls": 3,
        "harbour.source.tides": 1,
        "harbour.examples": 3,
    }
    assert _ids(workspace, "source.calls", "call") == ["call-0004", "call-0005", "call-0006"]
    assert _ids(workspace, "predictions", "prediction_id") == ["p4"]
    assert _ids(workspace, "ledger", "key") == ["call-0004", "erased", "erased", "erased"]
    assert workspace.tables.read("harbour.ledger")["value"].sum() == 6.0


def test_it_is_in_the_logbook_once_and_done_again_nothing_happens(workspace: Workspace) -> None:
    gone = retain(workspace, TEN_DAYS, NOW)
    assert retain(workspace, TEN_DAYS, NOW) == {}
    with workspace.metadata.begin() as transaction:
        (entry,) = [entry for entry in transaction.logbook() if entry.kind == LOGGED]
    assert entry.body["rows"] == gone
    assert entry.body["before"] == (NOW - timedelta(days=10)).isoformat()


def test_snapshots_say_what_they_lost(workspace: Workspace) -> None:
    retain(workspace, TEN_DAYS, NOW)
    with workspace.metadata.begin() as transaction:
        snapshots = transaction.all(Snapshot, "harbour")
    assert [snapshot.erased for snapshot in snapshots] == [3, 3]
    assert [load_snapshot(snapshot, workspace.tables).height for snapshot in snapshots] == [0, 3]


def test_a_prediction_that_is_not_booked_yet_stays_with_its_outcome(workspace: Workspace) -> None:
    ledger = workspace.tables.read("harbour.ledger")
    workspace.tables.rewrite("harbour.ledger", lambda rows: rows.filter(pl.col("prediction_id") != "p2"))
    assert ledger.height == 4
    retain(workspace, TEN_DAYS, NOW + timedelta(days=30))
    assert _ids(workspace, "predictions", "prediction_id") == ["p2"]
    assert _ids(workspace, "outcomes", "key") == ["call-0002"]


def test_reports_received_by_a_clock_that_ran_ahead_go_by_the_time_that_they_tell_of(
    workspace: Workspace,
) -> None:
    ahead = pl.lit(NOW + timedelta(days=9000)).cast(pl.Datetime("us", "UTC")).alias("received_at")
    told = {}
    for table, column in (("outcomes", "known_at"), ("actions", "at")):
        stored = workspace.tables.read(f"harbour.{table}").filter(pl.col("key") == "call-0002")
        orphan = stored.with_columns(ahead, key=pl.lit("nobody waits"))
        [told[table]] = orphan[column].to_list()
        workspace.tables.append(f"harbour.{table}", orphan, writer="hand", version=1)
    for table in sorted(told, key=lambda table: told[table]):
        retain(workspace, TEN_DAYS, told[table] + timedelta(days=9, hours=23))
        assert "nobody waits" in _ids(workspace, table, "key")
        retain(workspace, TEN_DAYS, told[table] + timedelta(days=10, hours=1))
        assert "nobody waits" not in _ids(workspace, table, "key")


def test_rows_put_aside_go_by_when_that_was(workspace: Workspace) -> None:
    assert workspace.tables.rows("harbour.quarantine") == 2
    retain(workspace, TEN_DAYS, NOW + timedelta(days=9))
    assert workspace.tables.rows("harbour.quarantine") == 2
    gone = retain(workspace, TEN_DAYS, NOW + timedelta(days=11))
    assert gone["harbour.quarantine"] == 2
    assert workspace.tables.rows("harbour.quarantine") == 0


def test_the_last_row_of_a_lookup_stays_for_it_still_stands(workspace: Workspace) -> None:
    retain(workspace, TEN_DAYS, NOW + timedelta(days=30))
    assert workspace.tables.read("harbour.source.tides")["depth"].to_list() == [4.0]


def test_a_source_without_times_keeps_its_rows_until_they_are_long_replaced(workspace: Workspace) -> None:
    fewer = sources()
    fewer.frames["ships"] = fewer.frames["ships"].filter(pl.col("ship") != "Bounty")
    SourceHistory(make_reader=lambda: fewer, workspace=workspace).read(TEN_DAYS)
    retain(workspace, TEN_DAYS, NOW + timedelta(days=9))
    assert _ids(workspace, "source.ships", "ship") == ["Argo", "Bounty", "Bounty", "Calypso"]
    gone = retain(workspace, TEN_DAYS, NOW + timedelta(days=11))
    assert gone["harbour.source.ships"] == 2
    assert _ids(workspace, "source.ships", "ship") == ["Argo", "Calypso"]


def test_a_row_of_a_lookup_that_was_withdrawn_does_not_count_as_the_last_one(workspace: Workspace) -> None:
    withdrawn = MemorySources({**sources().frames, "tides": frame("tides", [tide(-5, 3.0)])})
    SourceHistory(make_reader=lambda: withdrawn, workspace=workspace).read(TEN_DAYS)
    retain(workspace, TEN_DAYS, NOW + timedelta(days=30))
    assert workspace.tables.read("harbour.source.tides")["depth"].to_list() == [3.0]


def test_nothing_is_removed_while_sources_are_read(workspace: Workspace) -> None:
    lease = workspace.metadata.acquire("data:harbour", "another process", 60.0)
    assert lease is not None
    assert retain(workspace, TEN_DAYS, NOW) == {}
    workspace.metadata.release(lease)
    assert retain(workspace, TEN_DAYS, NOW) != {}


def test_the_loop_asks_once_a_day(workspace: Workspace) -> None:
    assert retain_daily(workspace, TEN_DAYS)
    assert retain_daily(workspace, TEN_DAYS) == {}
    assert isinstance(workspace.clock, MemoryClock)
    workspace.clock.advance(days=1)
    assert retain_daily(workspace, TEN_DAYS)


def test_what_is_too_old_is_not_taken_in_again(workspace: Workspace) -> None:
    retain(workspace, TEN_DAYS, NOW)
    Landing(product=TEN_DAYS, reader=sources(), workspace=workspace).land()
    assert _ids(workspace, "source.calls", "call") == ["call-0004", "call-0005", "call-0006"]


def test_tables_that_a_new_one_replaced_and_sources_that_are_read_no_more_go_as_a_whole(
    workspace: Workspace,
) -> None:
    old = workspace.tables.read("harbour.source.ships")
    with workspace.metadata.begin() as transaction:
        load = next(one for one in transaction.all(Load, "harbour") if one.source == "ships")
        later = msgspec.structs.replace(
            load, id="ships-0002", number=2, table="harbour.source.ships.from2", read_at=NOW
        )
        gone = msgspec.structs.replace(load, id="piers-0001", source="piers", table="harbour.source.piers")
        transaction.put(later)
        transaction.put(gone)
    for table in (later.table, gone.table):
        workspace.tables.append(table, old, writer="w", version=1)
    retain(workspace, TEN_DAYS, NOW + timedelta(days=9))
    assert workspace.tables.rows("harbour.source.ships") == old.height
    retain(workspace, TEN_DAYS, NOW + timedelta(days=11))
    rows = {name: workspace.tables.rows(name) for name in ("harbour.source.ships", later.table, gone.table)}
    assert [*rows.values()] == [0, old.height, 0]


def test_what_is_overdue_is_counted_and_stays_until_retention_removes_it(workspace: Workspace) -> None:
    assert overdue(workspace, product(), NOW) == {}
    before = overdue(workspace, TEN_DAYS, NOW)
    assert before == overdue(workspace, TEN_DAYS, NOW) != {}
    assert removed_on_day(workspace, TEN_DAYS, NOW) == {}
    gone = retain(workspace, TEN_DAYS, NOW)
    assert gone == before
    assert overdue(workspace, TEN_DAYS, NOW) == {}
    assert removed_on_day(workspace, TEN_DAYS, NOW) == gone
    assert removed_on_day(workspace, TEN_DAYS, NOW + timedelta(days=1)) == {}

"""Snapshots come back as they were, or not at all."""

from datetime import timedelta

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.data.digest import rows_digest
from seatrial.data.examples import build_examples
from seatrial.data.read import SourceTables, read_sources
from seatrial.data.snapshot import load_snapshot, save_snapshot
from seatrial.errors import DataRefused, IntegrityBroken
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.workspace import Workspace
from tests.fakes.sources import MemorySources
from tests.fakes.workspace import memory_workspace
from tests.harbour import START, call, frame, harbour_product, tide

PRODUCT = harbour_product()
AS_OF = START + timedelta(days=9)


def built() -> tuple[SourceTables, pl.DataFrame]:
    frames = {
        "calls": frame("calls", [call(0, 1), call(1, 2), call(2, 3, crew=0)]),
        "tides": frame("tides", [tide(0, 4.0)]),
        "ships": frame("ships", []),
    }
    tables = read_sources(PRODUCT, MemorySources(frames), at=AS_OF).tables
    return tables, build_examples(PRODUCT, tables)


def saved(workspace: Workspace, rows: pl.DataFrame, tables: SourceTables) -> Snapshot:
    snapshot = save_snapshot(PRODUCT, rows, tables, workspace, as_of=AS_OF, at=AS_OF)
    with workspace.metadata.begin() as transaction:
        transaction.put(snapshot)
    return snapshot


def test_a_snapshot_comes_back_with_its_lineage() -> None:
    workspace = memory_workspace()
    tables, rows = built()
    snapshot = saved(workspace, rows, tables)
    assert_frame_equal(load_snapshot(snapshot, workspace.tables), rows)
    assert snapshot.id == rows_digest(rows)
    assert (snapshot.rows, snapshot.columns) == (2, tuple(rows.columns))
    assert (snapshot.first_made_at, snapshot.last_made_at) == (
        START + timedelta(hours=1),
        START + timedelta(hours=2),
    )
    assert (snapshot.sources[0].name, snapshot.sources[0].rows, snapshot.sources[0].kept) == ("calls", 3, 2)
    assert [(one.rule, one.failed) for one in snapshot.rules if one.failed] == [("crew.minimum", 1)]
    assert (snapshot.contract_version, snapshot.product_digest) == ("1.0.0", PRODUCT.digest)


def test_the_same_rows_are_the_same_snapshot_and_nothing_is_written() -> None:
    workspace = memory_workspace()
    tables, rows = built()
    snapshot = saved(workspace, rows, tables)
    assert saved(workspace, rows.reverse(), tables) == snapshot
    assert workspace.tables.rows(snapshot.table) == rows.height


def test_a_later_snapshot_adds_only_what_is_new_and_every_earlier_one_can_be_read_again() -> None:
    workspace = memory_workspace()
    tables, rows = built()
    changed = rows.with_columns(crew=pl.when(pl.col("call") == "c0").then(99).otherwise(pl.col("crew")))
    snapshots = [saved(workspace, some, tables) for some in (rows.head(1), rows, changed, rows.tail(1))]
    assert [one.number for one in snapshots] == [1, 2, 3, 4]
    for snapshot, some in zip(snapshots, (rows.head(1), rows, changed, rows.tail(1)), strict=True):
        assert_frame_equal(load_snapshot(snapshot, workspace.tables), some, check_row_order=False)
    assert workspace.tables.rows(snapshots[0].table) == 1 + 1 + 2 + 1, "one line per change"


def test_examples_with_other_columns_begin_a_table_of_their_own() -> None:
    workspace = memory_workspace()
    tables, rows = built()
    first = saved(workspace, rows, tables)
    wider = saved(workspace, rows.with_columns(tugs=pl.lit(2, pl.Int64)), tables)
    assert wider.table != first.table
    assert load_snapshot(wider, workspace.tables)["tugs"].to_list() == [2, 2]
    assert_frame_equal(load_snapshot(first, workspace.tables), rows)


def test_other_rows_under_its_name_are_refused() -> None:
    workspace = memory_workspace()
    tables, rows = built()
    saved(workspace, rows, tables)
    fewer = saved(workspace, rows.head(1), tables)
    with pytest.raises(IntegrityBroken, match="expected the rows"):
        load_snapshot(msgspec.structs.replace(fewer, number=1), workspace.tables)


def test_no_rows_make_no_snapshot() -> None:
    tables, rows = built()
    with pytest.raises(DataRefused, match="no matured example"):
        save_snapshot(PRODUCT, rows.clear(), tables, memory_workspace(), as_of=AS_OF, at=AS_OF)

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
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.sources import MemorySources
from tests.harbour import START, call, frame, harbour_product, tide

PRODUCT = harbour_product()
AS_OF = START + timedelta(days=9)


def built() -> tuple[SourceTables, pl.DataFrame]:
    frames = {
        "calls": frame("calls", [call(0, 1), call(1, 2), call(2, 3, crew=0)]),
        "tides": frame("tides", [tide(0, 4.0)]),
        "ships": frame("ships", []),
    }
    tables = read_sources(PRODUCT, MemorySources(frames), at=START)
    return tables, build_examples(PRODUCT, tables)


def test_a_snapshot_comes_back_with_its_lineage() -> None:
    artifacts = MemoryArtifacts()
    tables, rows = built()
    snapshot = save_snapshot(PRODUCT, rows, tables, artifacts, as_of=AS_OF, at=AS_OF)
    assert_frame_equal(load_snapshot(snapshot, artifacts), rows)
    assert snapshot.id == rows_digest(rows)
    assert (snapshot.rows, snapshot.columns) == (2, tuple(rows.columns))
    assert (snapshot.first_made_at, snapshot.last_made_at) == (
        START + timedelta(hours=1),
        START + timedelta(hours=2),
    )
    assert (snapshot.sources[0].name, snapshot.sources[0].rows, snapshot.sources[0].kept) == ("calls", 3, 2)
    assert [(one.rule, one.failed) for one in snapshot.rules if one.failed] == [("crew.minimum", 1)]
    assert (snapshot.contract_version, snapshot.product_digest) == ("1.0.0", PRODUCT.digest)


def test_other_rows_under_its_name_are_refused() -> None:
    artifacts = MemoryArtifacts()
    tables, rows = built()
    snapshot = save_snapshot(PRODUCT, rows, tables, artifacts, as_of=AS_OF, at=AS_OF)
    fewer = save_snapshot(PRODUCT, rows.head(1), tables, artifacts, as_of=AS_OF, at=AS_OF)
    with pytest.raises(IntegrityBroken, match="holds other rows"):
        load_snapshot(msgspec.structs.replace(snapshot, artifact=fewer.artifact), artifacts)


def test_no_rows_make_no_snapshot() -> None:
    tables, rows = built()
    with pytest.raises(DataRefused, match="no matured example"):
        save_snapshot(PRODUCT, rows.clear(), tables, MemoryArtifacts(), as_of=AS_OF, at=AS_OF)

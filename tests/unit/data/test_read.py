"""All sources, read and checked."""

from datetime import timedelta

import polars as pl
import pytest

from seatrial.data.digest import rows_digest
from seatrial.data.read import read_sources
from seatrial.errors import DataRefused, SourceFailed
from tests.fakes.sources import MemorySources
from tests.harbour import START, call, frame, harbour_product, tide

PRODUCT = harbour_product()


def sources(**changes: pl.DataFrame) -> MemorySources:
    sound = {
        "calls": frame("calls", [call(0, 1), call(1, 2), call(2, 3)]),
        "tides": frame("tides", [tide(0, 4.0)]),
        "ships": frame("ships", [{"ship": "Argo", "length": 20.0}]),
    }
    return MemorySources(sound | changes)


def test_kept_rows_lineage_and_rules_of_every_source_come_out() -> None:
    calls = frame("calls", [call(0, 1), call(1, 2, crew=0), call(2, 3)])
    checked = read_sources(PRODUCT, sources(calls=calls), at=START, latest=START + timedelta(days=9))
    tables = checked.tables
    assert tables.frames["calls"]["call"].to_list() == ["c0", "c2"]
    lineage = {read.name: (read.kind, read.rows, read.kept) for read in tables.reads}
    assert lineage == {"calls": ("path", 3, 2), "tides": ("path", 1, 1), "ships": ("path", 1, 1)}
    assert tables.reads[0].digest == rows_digest(tables.frames["calls"])
    assert {(one.source, one.rule) for one in tables.rules if one.failed} == {("calls", "crew.minimum")}
    assert checked.quarantined.select("source", "rule", "contract_version", "at").rows() == [
        ("calls", "crew.minimum", "1.0.0", START)
    ]


def test_sources_that_fail_are_told_together() -> None:
    broken = MemorySources({"tides": frame("tides", [tide(0, 4.0)])})
    with pytest.raises(SourceFailed) as failed:
        read_sources(PRODUCT, broken, at=START)
    assert "calls" in str(failed.value)
    assert "ships" in str(failed.value)


def test_a_refused_table_outweighs_one_that_may_be_back_later() -> None:
    broken = sources(calls=frame("calls", [call(0, 1, crew=0)]))
    del broken.frames["ships"]
    with pytest.raises(DataRefused) as refused:
        read_sources(PRODUCT, broken, at=START)
    assert "source calls: 1 of 1 rows" in str(refused.value)
    assert "source ships: not there" in str(refused.value)

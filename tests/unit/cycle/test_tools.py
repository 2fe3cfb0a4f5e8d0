"""The history as the loop reads it: landed under a lease, then joined from what is stored."""

from typing import Any

import polars as pl
import pytest

from seatrial.cycle.tools import SourceHistory
from seatrial.errors import Conflict
from seatrial.ports.workspace import Workspace
from tests.fakes.sources import MemorySources
from tests.fakes.workspace import memory_workspace
from tests.harbour import START, call, frame, harbour_product, tide

PRODUCT = harbour_product()


def reader(*calls: dict[str, Any]) -> MemorySources:
    return MemorySources(
        {
            "calls": frame("calls", list(calls)),
            "tides": frame("tides", [tide(0, 4.0)]),
            "ships": frame("ships", [{"ship": "Argo", "length": 20.0}]),
        }
    )


def history(workspace: Workspace, sources: MemorySources) -> SourceHistory:
    return SourceHistory(lambda: sources, workspace, latest=lambda: START.replace(year=2026))


def test_examples_and_lookups_come_from_what_was_landed() -> None:
    workspace = memory_workspace()
    read = history(workspace, reader(call(0, 1), call(1, 2, crew=0))).read(PRODUCT)
    assert read.examples["call"].to_list() == ["c0"]
    assert read.examples["depth"].to_list() == [4.0]
    assert read.lookups["tides"].height == 1
    calls = read.tables.reads[0]
    assert (calls.name, calls.rows, calls.kept, calls.load) == ("calls", 2, 1, "calls-0001")


def test_sources_are_read_by_one_process_at_a_time() -> None:
    workspace = memory_workspace()
    held = workspace.metadata.acquire("data:harbour", "another", 30)
    assert held is not None
    with pytest.raises(Conflict, match="another process reads the sources"):
        history(workspace, reader(call(0, 1))).read(PRODUCT)
    workspace.metadata.release(held)
    assert history(workspace, reader(call(0, 1))).read(PRODUCT).examples.height == 1


def test_a_reading_that_fails_gives_its_lease_back() -> None:
    workspace = memory_workspace()
    broken = reader(call(0, 1))
    del broken.frames["calls"]
    for _ in range(2):
        with pytest.raises(Exception, match="source calls: not there"):
            history(workspace, broken).read(PRODUCT)


def test_a_refresh_reads_the_named_sources_alone() -> None:
    workspace = memory_workspace()
    sources = reader(call(0, 1))
    history(workspace, sources).read(PRODUCT)
    sources.frames["tides"] = frame("tides", [tide(0, 4.0), tide(1, 5.0)])
    sources.frames["calls"] = pl.DataFrame()
    lookups = history(workspace, sources).refresh(PRODUCT, ["tides"])
    assert lookups["tides"]["depth"].to_list() == [4.0, 5.0]

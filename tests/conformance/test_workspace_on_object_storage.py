"""A workspace whose tables and artifacts lie in an object store does what one in a folder does."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.cycle.retrain import Workshop
from seatrial.cycle.stages import make_snapshot
from seatrial.cycle.tools import SourceHistory, Tools
from seatrial.data.snapshot import load_snapshot
from seatrial.settings import read_settings
from seatrial.wiring import open_workspace
from tests.fakes.sources import MemorySources
from tests.fakes.training import CountingFramework, CountingRuntime
from tests.harbour import START, call, frame, harbour_product, tide
from tests.object_storage import object_storage

PRODUCT = harbour_product()
FRAMES = {
    "calls": frame("calls", [call(number, number) for number in range(20)]),
    "tides": frame("tides", [tide(0, 4.0), tide(3, 5.0)]),
    "ships": frame("ships", [{"ship": "Argo", "length": 20.0}]),
}


def snapshot(folder: Path, **places: str) -> pl.DataFrame:
    settings = read_settings({"workspace": str(folder), **places}, {})
    workspace = open_workspace(settings, product=PRODUCT.name)
    latest = START + timedelta(days=999)
    history = SourceHistory(lambda: MemorySources(FRAMES), workspace, latest=lambda: latest)
    tools = Tools(history=history, framework=CountingFramework(), runtime=CountingRuntime())
    made = make_snapshot(Workshop(PRODUCT, workspace, tools))
    assert make_snapshot(Workshop(PRODUCT, workspace, tools)).id == made.id
    workspace.metadata.close()
    return load_snapshot(made, workspace.tables)


def test_the_same_rows_make_the_same_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with object_storage() as storage:
        for name, value in storage.options.items():
            monkeypatch.setenv(name, value)
        bucket = storage.bucket()
        far = snapshot(tmp_path / "far", tables_url=f"{bucket}/tables", artifacts_url=f"{bucket}/artifacts")
    assert not (tmp_path / "far" / "tables").exists()
    assert_frame_equal(far, snapshot(tmp_path / "near"))

"""An erasure that is killed anywhere and run again ends as one that was not, and no file keeps a trace."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import polars as pl
import pytest

from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.cycle.erase import erase, proofs
from seatrial.data.snapshot import load_snapshot
from seatrial.facts.erasure import DONE, PENDING, Erasure
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.workspace import Workspace
from tests.erasing_worker import workspace
from tests.forgetting import GONE, SHIP, lived, product, traces

PLACES = [
    "planned:1:before",
    "forgotten:2:after",
    "traces:2:before",
    "rewritten:3:after",
    "remaining:1:before",
    "deleted:2:after",
    "artifacts:1:after",
]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a past, its servers gone."""
    folder = tmp_path_factory.mktemp("erased") / "workspace"
    made = workspace(folder)
    journal = FileJournalWriter(folder / "journal", "server")
    lived(made, journal, product())
    journal.close()
    made.metadata.close()
    return folder


@pytest.fixture(scope="module")
def once(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same workspace after an erasure that nobody killed."""
    folder = tmp_path_factory.mktemp("once") / "workspace"
    shutil.copytree(lived_in, folder)
    erase(workspace(folder), product(), column="ship", value=SHIP, why="asked", by="ann")
    return folder


def _erased_in_a_process(folder: Path, column: str, value: str, place: str) -> int:
    arguments = [sys.executable, "-m", "tests.erasing_worker", str(folder), column, value, place]
    return subprocess.run(arguments, cwd=Path(__file__).parents[2], check=False).returncode


def _plain(erasure: Erasure) -> Erasure:
    """Without what is different each time."""
    return msgspec.structs.replace(erasure, salt="", commitment="")


def _recorded(made: Workspace) -> Erasure:
    with made.metadata.begin() as transaction:
        (erasure,) = transaction.all(Erasure, "harbour")
    return erasure


@pytest.mark.parametrize("place", PLACES)
def test_killed_and_run_again_it_ends_the_same(
    lived_in: Path, once: Path, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / "workspace"
    shutil.copytree(lived_in, folder)
    assert _erased_in_a_process(folder, "ship", SHIP, place) == -signal.SIGKILL
    killed = workspace(folder)
    assert _recorded(killed).state == PENDING
    again = erase(killed, product(), column="ship", value=SHIP, why="asked", by="ann")
    assert again.state == DONE
    assert _plain(again) == _plain(_recorded(workspace(once)))
    assert traces(folder, SHIP) == traces(once, SHIP) == []
    (proof,) = proofs(killed, product(), SHIP)
    assert len(proof.entries) == 1
    _assert_same_rows(killed, workspace(once))


def _assert_same_rows(one: Workspace, other: Workspace) -> None:
    assert one.tables.names() == other.tables.names()
    for name in one.tables.names():
        rows = [made.tables.read(name) for made in (one, other)]
        left, right = (frame.drop("id", "at", strict=False).hash_rows().sort() for frame in rows)
        assert left.equals(right), name
    for made in (one, other):
        with made.metadata.begin() as transaction:
            snapshots = transaction.all(Snapshot, "harbour")
        assert [load_snapshot(snapshot, made.tables).height for snapshot in snapshots] == [2, 4]


def test_a_process_that_is_left_alone_leaves_no_trace_in_any_file(lived_in: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    shutil.copytree(lived_in, folder)
    held = traces(folder, GONE)
    assert {Path(name).parts[0] for name in held} == {"tables", "journal"}
    assert _erased_in_a_process(folder, "key", GONE, "none") == 0
    assert traces(folder, GONE) == []
    ledger = workspace(folder).tables.read("harbour.ledger")
    assert ledger.filter(pl.col("prediction_id") == "p2")["key"].to_list() == ["erased"]

"""A process that scores files of bookings into an output, on a workspace of files: SQLite and Delta tables."""

import sys
from pathlib import Path

from seatrial.cycle.score import Finished, score
from seatrial.facts.scoring_run import ScoringRun
from seatrial.ports.workspace import Workspace
from seatrial.settings import read_settings
from seatrial.wiring import open_workspace
from tests.batch_scoring import file_inputs, work

BATCH = 20


def workspace(folder: Path) -> Workspace:
    return open_workspace(read_settings({"workspace": str(folder / "workspace")}, {}), product="hotel")


def run(folder: Path, kind: str, output: Path) -> Finished:
    """All files of a kind in the folder's `in`, in parts of twenty rows; each part is told on standard output."""
    inputs = file_inputs(folder / "in" / f"*.{kind}")
    return score(work(workspace(folder), inputs, output, batch_rows=BATCH), told=_tell)


def _tell(_: ScoringRun) -> None:
    sys.stdout.write("went on\n")
    sys.stdout.flush()


if __name__ == "__main__":
    workspace(Path(sys.argv[1]))  # what takes long is imported before it is told to begin
    sys.stdin.readline()
    run(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))

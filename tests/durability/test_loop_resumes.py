"""The loop's worker is killed again and again while requests and outcomes come in: nothing is lost or counted twice."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.cycle.books import ledger_of
from seatrial.cycle.retrain import Workshop
from seatrial.cycle.routes import RecordedRoutes
from seatrial.cycle.stages import make_snapshot, release_newest, train_newest
from seatrial.facts.logbook import chain_faults
from seatrial.facts.prediction import Outcome
from seatrial.facts.records import decode_outcome, decode_predictions
from seatrial.facts.release import Phase, Release
from seatrial.facts.tables import table_name
from seatrial.ports.workspace import Workspace
from seatrial.serve.engine import Engine
from seatrial.serve.loading import load_release
from seatrial.serve.outcomes import OutcomeIntake
from seatrial.serve.routing import Routes
from seatrial.wiring import open_workspace
from tests.loop_worker import LEASED, offset_to, product, settings, tools, worker
from tests.parcels_loop import DAY, LAUNCH

KILLS = 5
ROOT = Path(__file__).resolve().parents[2]
PRODUCT = product()
TOOLS = tools(PRODUCT)
NOW = LAUNCH + 5 * DAY


class RememberingWriter:
    """A journal writer that keeps what it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self._writer = FileJournalWriter(folder, "server", segment_seconds=0.02)
        self.predictions: list[tuple[str, str]] = []  # prediction id and release
        self.outcomes: list[Outcome] = []

    def append(self, kind: str, records: Sequence[bytes]) -> None:
        self._writer.append(kind, records)
        if kind == "predictions":
            blocks = map(decode_predictions, records)
            self.predictions += [(name, block.release) for block in blocks for name in block.prediction_id]
        else:
            self.outcomes += map(decode_outcome, records)

    def seal(self) -> None:
        self._writer.seal()

    def tick(self) -> None:
        self._writer.tick()

    def close(self) -> None:
        self._writer.close()


class Traffic:
    """Requests and outcomes of the parcels of five days, some outcomes twice and some long after settlement."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace = workspace
        self.writer = RememberingWriter(folder / "journal")
        self.engine = Engine(None, self.writer, workspace.clock)
        self.intake = OutcomeIntake(PRODUCT, self.writer, workspace.clock)
        self.routes = RecordedRoutes(workspace.metadata, PRODUCT.name)
        sent = pl.col("sent_at")
        history = TOOLS.history.read(PRODUCT).examples
        rows = history.filter((sent >= LAUNCH) & (sent < NOW)).sample(fraction=1.0, shuffle=True, seed=3)
        self.batches: Iterator[pl.DataFrame] = rows.iter_slices(3)
        self.late: list[pl.DataFrame] = []

    def send(self) -> bool:
        """One batch of requests; their outcomes at once, twice, or later. False when there are no more."""
        rows = next(self.batches, None)
        if rows is None:
            return False
        table = self.routes.current()
        assert table is not None
        live, tried = (
            load_release(release, self.workspace.artifacts, TOOLS.runtime) if release else None
            for release in (table.live, table.challenger)
        )
        assert live is not None
        self.engine.routes = Routes.of(live, tried)
        self.engine.predict(rows.select(PRODUCT.request_columns).to_dicts())
        self.report(rows[:2])
        self.report(rows[1:2])
        self.late.append(rows[2:])
        self.writer.tick()
        return True

    def report(self, rows: pl.DataFrame) -> None:
        reports = rows.select(pl.col("parcel_id").alias("key"), "late", "weight", "known_at").to_dicts()
        if reports:
            assert self.intake.accept(reports).accepted == len(reports)

    def finish(self) -> None:
        """What is left, then the outcomes that were held back."""
        while self.send():
            pass
        self.report(pl.concat(self.late))
        self.writer.close()


@contextmanager
def running(folder: Path, offset: float) -> Iterator[subprocess.Popen[str]]:
    """A worker that has begun its rounds, killed at the end in the middle of whatever it does."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.loop_worker", str(folder), repr(offset)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout as said:
        try:
            assert said.readline() == "ready\n"
            yield child
        finally:
            child.kill()
            assert child.wait() == -signal.SIGKILL, "it ended by itself before it was killed"


def launched(workspace: Workspace) -> None:
    workshop = Workshop(PRODUCT, workspace, TOOLS)
    make_snapshot(workshop)
    train_newest(workshop, why="first")
    assert release_newest(workshop, why="first").phase is Phase.LIVE


def test_a_worker_that_is_killed_again_and_again_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path,
) -> None:
    chance = random.Random(5)  # noqa: S311 - when to kill is no secret
    launched(open_workspace(settings(tmp_path, offset_to(LAUNCH))))
    traffic = Traffic(open_workspace(settings(tmp_path, offset_to(NOW))), tmp_path)
    for turn in range(KILLS):
        with running(tmp_path, offset_to(NOW + (turn + 1) * LEASED)):
            until = time.monotonic() + chance.uniform(0.2, 0.9)
            while time.monotonic() < until and traffic.send():
                time.sleep(0.02)
    by_workers = ledger_of(traffic.workspace, PRODUCT.name).height
    assert by_workers > 0, "the killed workers did their part"
    traffic.finish()

    last = open_workspace(settings(tmp_path, offset_to(NOW + 2 * DAY)))
    loop = worker(last, "last")
    while loop.tick().settled or last.journal.sealed():
        pass

    booked = last.tables.read(table_name(PRODUCT.name, "ledger"))
    numbered = booked.filter(pl.col("batch").is_not_null())
    settled, awaited = numbered.filter(~pl.col("awaited")), numbered.filter("awaited")
    valued = numbered.filter(pl.col("value").is_not_null())
    assert valued.select("prediction_id", "release").is_unique().all()
    assert awaited.height == settled["value"].null_count()
    acknowledged = Counter(traffic.writer.predictions)
    assert set(acknowledged.values()) == {1}
    assert Counter(settled.select("prediction_id", "release").iter_rows()) == acknowledged
    stored = last.tables.read(table_name(PRODUCT.name, "outcomes"))
    assert stored.height == len(traffic.writer.outcomes)

    truth = {outcome.key: outcome.values["late"] for outcome in traffic.writer.outcomes}
    standing = ledger_of(last, PRODUCT.name)
    assert standing.height == len(acknowledged)
    assert all(label == truth[key] for key, label in standing.select("key", "label").iter_rows())

    with last.metadata.begin() as transaction:
        entries, releases = transaction.logbook(), transaction.all(Release, PRODUCT.name)
    assert chain_faults(entries) == []
    assert [release.phase for release in releases] == [Phase.LIVE, Phase.SHADOW]
    assert [entry.kind for entry in entries].count("job done") == 1
    assert {release for _, release in acknowledged} <= {release.id for release in releases}

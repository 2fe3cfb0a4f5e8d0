"""The whole loop around the parcels, in memory, and a fate that kills it after any lasting effect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import polars as pl

from seatrial.adapters.clock.simulated import SimulatedClock
from seatrial.cycle.reconcile import Reconciler, Tick
from seatrial.cycle.retrain import Workshop
from seatrial.cycle.routes import RecordedRoutes
from seatrial.cycle.stages import approve, make_snapshot, release_newest, train_newest
from seatrial.cycle.tools import FixedHistory, History, Tools
from seatrial.data.read import SourceTables
from seatrial.facts.job import Job
from seatrial.facts.logbook import LogEntry
from seatrial.facts.release import Phase, Release
from seatrial.facts.snapshot import RuleResult, SourceRead
from seatrial.facts.tables import table_name
from seatrial.ports.clock import Clock
from seatrial.ports.journal import Segment
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.serve.engine import Engine
from seatrial.serve.loading import load_release
from seatrial.serve.outcomes import OutcomeIntake
from seatrial.serve.request import Answered
from seatrial.serve.routing import Routes
from seatrial.value.ledger import current
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.journal import MemoryJournal
from tests.fakes.metadata import MemoryMetadata, MemoryTransaction
from tests.fakes.tables import MemoryTables
from tests.fakes.training import (
    START,
    CountingEstimator,
    CountingFramework,
    CountingRuntime,
    parcels,
    parcels_product,
)

DAY = timedelta(days=1)
LAUNCH = START + 30 * DAY
QUICK = """
release: {shadow: {outcomes: 20}, canary: [50%]}
retrain: {max_age: 6d, at_most: 1 per 3d}
"""


class Killed(BaseException):
    """The process ended here: no `except Exception` sees it."""


class Fate:
    """Counts lasting effects; the process dies right after effect number `last`, once."""

    def __init__(self) -> None:
        self.effects = 0
        self.last: int | None = None

    def felt(self) -> None:
        self.effects += 1
        if self.effects == self.last:
            raise Killed(f"after effect {self.effects}")


class MortalMetadata(MemoryMetadata):
    """A store whose commits are lasting effects."""

    def __init__(self, clock: Clock, fate: Fate) -> None:
        super().__init__(clock)
        self._fate = fate

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        before = self.state
        with super().begin() as transaction:
            yield transaction
        if self.state != before:
            self._fate.felt()


class MortalTables(MemoryTables):
    """Tables whose commits are lasting effects."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def append(self, table: str, frame: pl.DataFrame, *, writer: str, version: int) -> bool:
        done = super().append(table, frame, writer=writer, version=version)
        if done:
            self._fate.felt()
        return done


class MortalJournal(MemoryJournal):
    """A journal whose discards are lasting effects; a test may say `keeps_all`, as if none came through."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate
        self.keeps_all = False

    def discard(self, segment: Segment) -> None:
        if not self.keeps_all:
            super().discard(segment)
            self._fate.felt()


class TallyingFramework(CountingFramework):
    """Counts trainings."""

    def __init__(self) -> None:
        self.trainings = 0

    def load(self, product: Product) -> CountingEstimator:
        self.trainings += 1
        return super().load(product)


def history_of(examples: pl.DataFrame) -> History:
    """A history that was read and found in order."""
    read = SourceRead(
        name="parcels",
        kind="path",
        rows=examples.height,
        kept=examples.height,
        digest="sha256:" + "5" * 64,
        read_at=LAUNCH,
    )
    rule = RuleResult(source="parcels", rule="late: bool", rows=examples.height, failed=0)
    tables = SourceTables(frames={}, reads=(read,), rules=(rule,))
    return History(tables=tables, examples=examples, lookups={})


def at_few_hours(examples: pl.DataFrame) -> pl.DataFrame:
    """The same parcels, all sent at 6, 12 or 18 o'clock: few batches, quick to replay."""
    hour = pl.col("sent_at").dt.truncate("1d") + pl.duration(hours=6 + 6 * (pl.col("sent_at").dt.hour() // 8))
    moved = examples.with_columns(hour.alias("sent_at"))
    return moved.with_columns(
        (pl.col("sent_at") + timedelta(hours=5)).alias("known_at"),
        (pl.col("sent_at") + DAY).alias("matured_at"),
    ).sort("sent_at", "parcel_id")


class World:
    """One product, its history, and everything around it in memory; the clock stands at LAUNCH."""

    def __init__(self, *, more: str = QUICK, rows: int = 1200, days: int = 40, seed: int = 0) -> None:
        self.fate = Fate()
        self.product = parcels_product(more=more)
        self.examples = at_few_hours(parcels(self.product, rows=rows, days=days, seed=seed))
        self.clock = SimulatedClock(LAUNCH)
        self.metadata = MortalMetadata(self.clock, self.fate)
        self.tables, self.journal = MortalTables(self.fate), MortalJournal(self.fate)
        self.artifacts = MemoryArtifacts()
        self.workspace = Workspace(
            clock=self.clock,
            metadata=self.metadata,
            tables=self.tables,
            artifacts=self.artifacts,
            journal=self.journal,
        )
        self.history = history_of(self.examples)
        self.framework = TallyingFramework()
        self.tools = Tools(
            history=FixedHistory(self.history), framework=self.framework, runtime=CountingRuntime()
        )
        self.writer = self.journal.writer("server")
        ids = count(1)
        self.engine = Engine(
            None, self.writer, self.clock, ids=lambda rows: [f"p{next(ids):05d}" for _ in range(rows)]
        )
        self.intake = OutcomeIntake(self.product, self.writer, self.clock)

    def reconciler(self, holder: str = "loop", **options: Any) -> Reconciler:
        """A worker as it is after its start."""
        return Reconciler(self.product, self.workspace, self.tools, holder=holder, **options)

    def workshop(self) -> Workshop:
        return Workshop(self.product, self.workspace, self.tools)

    def launch(self) -> Release:
        """The first release, live; approved where the product file asks for a person."""
        workshop = self.workshop()
        make_snapshot(workshop)
        train_newest(workshop, why="first")
        release = release_newest(workshop, why="first")
        if release.phase is Phase.CANDIDATE:
            return approve(self.workspace, self.product.name, release.id, actor="bob")
        return release

    def answer(self, rows: pl.DataFrame) -> Sequence[Answered]:
        """The predictions of requests, by the releases that stand in front of the traffic now."""
        table = RecordedRoutes(self.metadata, self.product.name).current()
        assert table is not None
        live, tried = (
            load_release(release, self.artifacts, self.tools.runtime) if release else None
            for release in (table.live, table.challenger)
        )
        assert live is not None
        self.engine.routes = Routes.of(live, tried)
        return self.engine.predict(rows.select(self.product.request_columns).to_dicts()).predictions

    def report(self, rows: pl.DataFrame, **changes: Any) -> int:
        """How many outcomes of these rows were accepted; reported by key."""
        reports = rows.select(
            pl.col("parcel_id").alias("key"), "late", "weight", pl.col("known_at")
        ).with_columns(**{name: pl.lit(value) for name, value in changes.items()})
        return self.intake.accept(reports.to_dicts()).accepted

    def sent_on(self, day: int) -> pl.DataFrame:
        """The parcels sent so many days after the launch."""
        sent = pl.col("sent_at")
        return self.examples.filter((sent >= LAUNCH + day * DAY) & (sent < LAUNCH + (day + 1) * DAY))

    def serve_day(self, day: int) -> None:
        """A whole day of traffic, answered and reported and sealed, and the clock at its end."""
        rows = self.sent_on(day)
        self.clock.advance_to(LAUNCH + (day + 1) * DAY - timedelta(minutes=1))
        self.answer(rows)
        self.report(rows)
        self.writer.seal()
        self.clock.advance_to(LAUNCH + (day + 1) * DAY)

    def live_through(self, days: range, reconciler: Reconciler | None = None) -> list[Tick]:
        """One round of the loop at each day's end."""
        worker = reconciler or self.reconciler()
        ticks = []
        for day in days:
            self.serve_day(day)
            ticks.append(worker.tick())
        return ticks

    def stored(self, table: str) -> pl.DataFrame:
        return self.tables.read(table_name(self.product.name, table))

    def ledger(self) -> pl.DataFrame:
        """The last word on each prediction, without what differs from run to run."""
        return current(self.stored("ledger")).drop("settled_at")

    def releases(self) -> list[Release]:
        with self.metadata.begin() as transaction:
            return transaction.all(Release, self.product.name)

    def jobs(self) -> list[Job]:
        with self.metadata.begin() as transaction:
            return transaction.all(Job, self.product.name)

    def logbook(self) -> list[LogEntry]:
        with self.metadata.begin() as transaction:
            return transaction.logbook()

    def kinds(self) -> list[str]:
        """The kinds of the logbook's entries, in order."""
        return [entry.kind for entry in self.logbook()]


def by_key(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in rows.iter_rows(named=True)}

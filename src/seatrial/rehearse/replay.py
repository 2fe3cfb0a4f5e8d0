"""History replayed through the real stack: engine, journal, outcome join, monitors, reconciler, releases.

Requests come in the order in which their decisions were made, outcomes when they became known. Nothing looks
ahead: the first model is fitted on what had matured at the start, lookups are read as of each decision, and
training takes simulated time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any, Protocol

import polars as pl

from seatrial.contract.canonical import json_rows
from seatrial.cycle.reconcile import Reconciler
from seatrial.cycle.tools import History, Tools
from seatrial.data.examples import KNOWN_AT
from seatrial.facts.logbook import LogEntry
from seatrial.facts.rehearsal import LoopEvent
from seatrial.facts.release import Release
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.release.phases import challenger, live_release
from seatrial.serve.engine import Engine
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.loading import load_release
from seatrial.serve.lookups import LookupIndexes
from seatrial.serve.outcomes import OutcomeIntake
from seatrial.serve.routing import Routes

HOUR = timedelta(hours=1)
# What people want to see of the loop's life; the rest stays in the logbook.
SHOWN = {
    "incident opened",
    "incident closed",
    "job started",
    "job failed",
    "release candidate",
    "release shadow",
    "release canary",
    "release live",
    "release retired",
    "release rolled back",
}


class SteeredClock(Clock, Protocol):
    """A clock that the rehearsal moves."""

    def advance_to(self, moment: datetime) -> datetime:
        """Move forward to `moment`, never back; the time it then is."""
        ...


@dataclass(frozen=True)
class Scratch:
    """A scratch workspace under a steered clock, and one writer to its journal."""

    workspace: Workspace
    clock: SteeredClock
    journal: JournalWriter
    tools: Tools
    history: History


@dataclass
class Counts:
    """What went through the stack."""

    batches: int = 0
    rows: int = 0
    fallbacks: int = 0
    outcomes: int = 0
    refused_rows: int = 0


class Replay:
    """One replay of [start, end); `watch` is told each event as it happens, and each day that passes."""

    def __init__(
        self,
        product: Product,
        scratch: Scratch,
        reconciler: Reconciler,
        *,
        on_event: Callable[[LoopEvent], None],
        on_day: Callable[[datetime, int], None],
    ) -> None:
        self.product, self.scratch, self.reconciler = product, scratch, reconciler
        self.counts = Counts()
        self._on_event, self._on_day = on_event, on_day
        self._lookups = LookupIndexes(scratch.workspace.artifacts)
        self._loaded: dict[str, LoadedRelease] = {}
        self._seen = 0
        ids = count(1)
        self._engine = Engine(
            self._routes(),
            scratch.journal,
            scratch.clock,
            ids=lambda rows: [f"rehearsal-{number:09d}" for number in islice(ids, rows)],
            elapsed=lambda: scratch.clock.now().timestamp(),
        )
        self._intake = OutcomeIntake(product, scratch.journal, scratch.clock)

    def run(self, start: datetime, end: datetime, settle_until: datetime) -> None:
        """Replay the requests of [start, end), then let outcomes come in until `settle_until`."""
        rows = self.requests(start, end)
        hours = _by_hour(rows, self.product)
        outcomes = _Outcomes(rows, self.product)
        self._report_events()
        moment, batch = start, next(hours, None)
        while moment < settle_until:
            moment += HOUR
            self.scratch.clock.advance_to(moment)
            if batch is not None and batch[0] < moment:
                self._answer(batch[1])
                batch = next(hours, None)
            self._report(outcomes.until(moment))
            if moment.hour == 0:
                self._control(moment, decide=moment <= end)

    def requests(self, start: datetime, end: datetime) -> pl.DataFrame:
        """The examples whose decision falls into [start, end), in the order of their decisions."""
        made_at = pl.col(self.product.made_at)
        return self.scratch.history.examples.filter((made_at >= start) & (made_at < end))

    def _answer(self, rows: list[dict[str, Any]]) -> None:
        answers = self._engine.predict(rows, partial=True)
        self.counts.batches += 1
        self.counts.rows += len(answers.predictions)
        self.counts.refused_rows += len({fault["row"] for fault in answers.faults})
        self.counts.fallbacks += sum(1 for answer in answers.predictions if answer.fallback is not None)

    def _report(self, outcomes: list[dict[str, Any]]) -> None:
        if outcomes:
            self.counts.outcomes += self._intake.accept(outcomes).accepted

    def _control(self, moment: datetime, *, decide: bool) -> None:
        """A round of the loop; once the requests are over, outcomes are still booked but nothing is decided."""
        self.scratch.journal.seal()
        if decide:
            self.reconciler.tick()
        else:
            self.reconciler.observe()
        self._engine.routes = self._routes()
        self._report_events()
        self._on_day(moment, self.counts.rows)

    def _routes(self) -> Routes:
        with self.scratch.workspace.metadata.begin() as transaction:
            live = live_release(transaction, self.product.name)
            tried = challenger(transaction, self.product.name)
        assert live is not None  # a rehearsal begins with the first release live
        return Routes.of(self._load(live), self._load(tried) if tried else None)

    def _load(self, release: Release) -> LoadedRelease:
        """The release in its present phase; its parts are loaded once."""
        loaded = self._loaded.get(release.id)
        if loaded is None or loaded.release != release:
            parts = self.scratch.workspace.artifacts
            loaded = load_release(release, parts, self.scratch.tools.runtime, store=self._lookups)
            self._loaded[release.id] = loaded
        return loaded

    def _report_events(self) -> None:
        with self.scratch.workspace.metadata.begin() as transaction:
            entries = transaction.logbook(self.product.name, after=self._seen)
        for entry in entries:
            self._seen = entry.seq
            if entry.kind in SHOWN:
                self._on_event(event_of(entry))


def event_of(entry: LogEntry) -> LoopEvent:
    """A logbook entry as an event of the loop."""
    why = entry.body.get("why") or entry.body.get("cause") or entry.body.get("error") or ""
    return LoopEvent(at=entry.at, kind=entry.kind, subject=entry.subject, why=str(why))


def _by_hour(rows: pl.DataFrame, product: Product) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
    """Batches as they would have been formed: the requests of each hour, with the hour's beginning."""
    keyed = rows.with_columns(pl.col(product.made_at).dt.truncate("1h").alias("__hour"))
    for hour in keyed.partition_by("__hour", maintain_order=True):
        yield hour["__hour"][0], json_rows(product.request, hour.select(product.request_columns))


class _Outcomes:
    """The outcomes of the replayed rows, in the order in which they became known."""

    def __init__(self, rows: pl.DataFrame, product: Product) -> None:
        ordered = rows.filter(pl.col(product.label).is_not_null()).sort(KNOWN_AT, product.key)
        renamed = ordered.select(
            pl.col(product.key).cast(pl.String).alias("key"),
            *product.outcome_columns,
            pl.col(KNOWN_AT).alias("known_at"),
        )
        self._rows = json_rows(product.request, renamed)
        self._next = 0

    def until(self, moment: datetime) -> list[dict[str, Any]]:
        """What became known since the last call, up to and including `moment`."""
        begin = self._next
        while self._next < len(self._rows) and self._rows[self._next]["known_at"] <= moment:
            self._next += 1
        return self._rows[begin : self._next]

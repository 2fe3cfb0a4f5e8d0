"""The reconciler: read what is recorded, ask `decide` what should happen now, do it, record it.

Level-triggered and idempotent: kill it anywhere, start it again, and it goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.cycle.aside import LASTING
from seatrial.cycle.drain import drain
from seatrial.cycle.heartbeat import kept
from seatrial.cycle.refresh import refresh
from seatrial.cycle.retention import retain_daily
from seatrial.cycle.retrain import Workshop, open_job, open_jobs, work_on
from seatrial.cycle.scored import finished_runs
from seatrial.cycle.settle import Settlement, stored_rows
from seatrial.cycle.stand_back import must_stand_back
from seatrial.cycle.survey import Survey
from seatrial.cycle.tools import Tools
from seatrial.cycle.watch import Watch
from seatrial.decide.policy import next_steps
from seatrial.decide.situation import Policy, Situation, Trial
from seatrial.facts.finding import Incident
from seatrial.facts.job import Job, Lease
from seatrial.facts.model import Model
from seatrial.facts.release import Phase, Release
from seatrial.facts.step import Step, StepKind
from seatrial.facts.tables import STORED_LEDGER, table_name
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.release.phases import challenger, live_release, roll_back, to_live, to_trial
from seatrial.value.compare import paired
from seatrial.value.ledger import current

# Renewed while a round lasts, so this is how long the loop of a killed worker stands still.
LEASE_SECONDS = 30.0


@dataclass(frozen=True)
class Tick:
    """What one round did. `busy` means that another worker holds the lease and nothing was done here."""

    busy: bool = False
    segments: int = 0
    settled: int = 0
    incidents: tuple[Incident, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass
class Reconciler:
    """Runs the loop of one product. `training_takes` is how long training takes in the world's time."""

    product: Product
    workspace: Workspace
    tools: Tools
    holder: str
    training_takes: timedelta = field(default_factory=timedelta)

    def __post_init__(self) -> None:
        self.settlement: Settlement | None = None
        self._epoch = 0
        self._scored: frozenset[str] = frozenset()
        self.watch = Watch(self.workspace, self.product)
        self.survey = Survey(self.workspace, self.product)

    def tick(self) -> Tick:
        """One round under the lease: observe, decide, act, work on jobs.

        Raises LeaseLost when another worker took over in the middle.
        """
        return self._leased(self._round)

    def observe(self) -> Tick:
        """The first half of a round alone: drain, join, settle, watch; nothing is decided."""
        return self._leased(self._observe)

    def _leased(self, work: Callable[[Lease], Tick]) -> Tick:
        if must_stand_back(self.workspace.metadata, self.product.name, self.holder):
            self.release_lease()
            return Tick(busy=True)
        lease = self.workspace.metadata.acquire(f"loop:{self.product.name}", self.holder, LEASE_SECONDS)
        if lease is None:
            return Tick(busy=True)
        # The lease is kept from here on: what is pending may take longer to read than one lease lasts.
        with kept(self.workspace.metadata, lease, LEASE_SECONDS):
            # Another worker was at it in between (a later epoch), or files were scored past the journal: what is
            # remembered as pending is stale.
            scored = finished_runs(self.workspace.metadata, self.product.name)
            if self.settlement is None or self._epoch != lease.epoch or self._scored != scored:
                self.settlement = Settlement(self.workspace, self.product)
                self._epoch, self._scored = lease.epoch, scored
            return work(lease)

    def _round(self, lease: Lease) -> Tick:
        seen = self._observe(lease)
        workshop = Workshop(self.product, self.workspace, self.tools, lease)
        steps = next_steps(self.situation())
        for step in steps:
            _ACTIONS[step.kind](self, workshop, step)
        # After the trial was judged: a source that cannot be reached must not keep a sick release in traffic.
        refresh(workshop)
        for job in self._jobs():
            work_on(workshop, job)
        return replace(seen, steps=tuple(steps))

    def _observe(self, lease: Lease) -> Tick:
        assert self.settlement is not None  # made with the lease
        drained = drain(self.workspace, self.product, lease=lease)
        self.settlement.take_in(drained)
        batch, rows = self.settlement.settle(self.workspace.clock.now())
        self.settlement.store(lease)
        retain_daily(self.workspace, self.product, lease=lease)
        incidents = [*self.watch.take_in(batch, rows, lease), *self.survey.take_in(lease)]
        return Tick(segments=drained.segments, settled=rows.height, incidents=tuple(incidents))

    def release_lease(self) -> None:
        """Let another worker take over at once instead of when the lease expires."""
        lease = self.workspace.metadata.acquire(f"loop:{self.product.name}", self.holder, LEASE_SECONDS)
        if lease is not None:
            self.workspace.metadata.release(lease)

    def _jobs(self) -> list[Job]:
        with self.workspace.metadata.begin() as transaction:
            return open_jobs(transaction, self.product.name)

    def situation(self) -> Situation:
        """What is recorded now, as `decide` sees it."""
        name = self.product.name
        with self.workspace.metadata.begin() as transaction:
            live = live_release(transaction, name)
            tried = challenger(transaction, name)
            jobs = transaction.all(Job, name)
            model = transaction.get(Model, name, live.bundle.model) if live else None
            incidents = tuple(i for i in transaction.all(Incident, name) if i.closed_at is None)
            approved = approvals(transaction, name)
        return Situation(
            now=self.workspace.clock.now(),
            policy=policy_of(self.product),
            live=live,
            live_trained_to=model.trained_to if model else None,
            trial=self._trial(live, tried, _wait(model)) if live and tried else None,
            incidents=incidents,
            last_retrain_at=max((job.created_at for job in jobs), default=None),
            retraining=any(job.finished_at is None for job in jobs),
            approved=approved,
        )

    def _trial(self, live: Release, tried: Release, longest_wait: timedelta) -> Trial:
        both = pl.col("release").is_in([live.id, tried.id])
        booked = (pl.col("made_at") >= tried.created_at) & pl.col("batch").is_not_null()
        found = self.workspace.tables.read(table_name(self.product.name, "ledger"), where=both & booked)
        ledger = stored_rows(found, polars_schema(STORED_LEDGER))
        # A day that still fills would weigh as much as a whole one, and change at every look.
        until = _day(self.workspace.clock.now() - longest_wait)
        confidence = self.product.file.release.confidence
        days = paired(ledger, challenger=tried.id, live=live.id, until=until, confidence=confidence)
        in_step = paired(ledger, challenger=tried.id, live=live.id, since=tried.changed_at)
        own = current(ledger).filter(pl.col("release") == tried.id)
        return Trial(
            release=tried,
            difference=days.value_per_row,
            rows=days.rows,
            days=len(days.days),
            rows_in_step=in_step.rows,
            scored_rows=own.height,
            fallback_share=own["score"].null_count() / max(1, own.height),
        )

    def promote(self, workshop: Workshop, step: Step) -> None:
        """Move the challenger to its next canary share, or live."""
        share = float(step.numbers.get("share") or 0.0)
        now = workshop.now
        with self.workspace.metadata.begin() as transaction:
            workshop.guard(transaction)
            release = _named(transaction, self.product.name, step)
            if share < 1.0:
                to_trial(
                    transaction, release, Phase.CANARY, share, now=now, why=step.why, numbers=step.numbers
                )
                return
            to_live(transaction, release, now=now, why=step.why, numbers=step.numbers)
            close_incidents(transaction, self.product.name, now=now, by=release.id)

    def roll_back(self, workshop: Workshop, step: Step) -> None:
        """Take the challenger out of traffic."""
        with self.workspace.metadata.begin() as transaction:
            workshop.guard(transaction)
            release = _named(transaction, self.product.name, step)
            roll_back(transaction, release, now=workshop.now, why=step.why, numbers=step.numbers)

    def retrain(self, workshop: Workshop, step: Step) -> None:
        """Open a retraining job; the round works on it next."""
        open_job(workshop, why=step.why, takes=self.training_takes)

    def ask(self, workshop: Workshop, step: Step) -> None:
        """Ask for approval once; the answer is a logbook entry `approved` with the release as its subject."""
        with self.workspace.metadata.begin() as transaction:
            workshop.guard(transaction)
            asked = {e.subject for e in transaction.logbook(self.product.name) if e.kind == "approval asked"}
            if step.release not in asked:
                body = {"why": step.why, "numbers": step.numbers}
                transaction.log(
                    product=self.product.name, kind="approval asked", subject=str(step.release), body=body
                )

    def hold(self, workshop: Workshop, step: Step) -> None:
        """A no-op: holding is what happens when nothing else does."""


def policy_of(product: Product) -> Policy:
    """The part of the product file that decisions depend on."""
    file = product.file
    return Policy(
        shadow_outcomes=file.release.shadow.outcomes,
        canary=file.release.canary,
        approve_live="live" in file.release.approve,
        retrain_on=frozenset(file.retrain.on),
        max_age=file.retrain.max_age,
        at_most=file.retrain.at_most,
    )


def approvals(transaction: Transaction, product: str) -> frozenset[str]:
    """Releases that a person approved."""
    return frozenset(e.subject for e in transaction.logbook(product) if e.kind == "approved")


def close_incidents(transaction: Transaction, product: str, *, now: datetime, by: str) -> None:
    """Close the open incidents of the release that no longer serves; what was set aside stays to be looked at."""
    for incident in transaction.all(Incident, product):
        if incident.closed_at is None and incident.measure not in LASTING:
            transaction.put(msgspec.structs.replace(incident, closed_at=now, closed_by=by))
            transaction.log(product=product, kind="incident closed", subject=incident.id, body={"by": by})


def _wait(model: Model | None) -> timedelta:
    return timedelta(seconds=model.longest_wait if model else 0.0)


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _named(transaction: Transaction, product: str, step: Step) -> Release:
    release = transaction.get(Release, product, str(step.release))
    assert release is not None  # the step was decided from this store, under the lease
    return release


_ACTIONS: dict[StepKind, Callable[[Reconciler, Workshop, Step], None]] = {
    StepKind.PROMOTE: Reconciler.promote,
    StepKind.ROLL_BACK: Reconciler.roll_back,
    StepKind.RETRAIN: Reconciler.retrain,
    StepKind.ASK: Reconciler.ask,
    StepKind.HOLD: Reconciler.hold,
}

"""Retraining as a job: each step's output is recorded, so a restarted job skips what is already there."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import polars as pl

from seatrial.cycle.publish import publish
from seatrial.cycle.tools import History, Tools
from seatrial.data.snapshot import examples_as_of, load_snapshot, save_snapshot
from seatrial.errors import LeaseLost, NotFound, SeatrialError
from seatrial.facts.job import Job, Lease
from seatrial.facts.lookups import CURRENT, LookupTables
from seatrial.facts.model import Model
from seatrial.facts.release import Phase, Release
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.bundle import bundled_product, make_bundle
from seatrial.product.product import Product
from seatrial.release.gates import refused, run_gates
from seatrial.release.phases import challenger, live_release, open_candidate, to_live, to_trial, withdraw
from seatrial.train.compare import Rival
from seatrial.train.registry import register
from seatrial.train.train import train_model

RUNNING, DONE, FAILED = "running", "done", "failed"
# An outage of two hours is waited for; what lasts longer needs a person.
ATTEMPTS = 8
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True)
class Workshop:
    """Where a job works: the product, its workspace, the tools, and the lease that its commits carry."""

    product: Product
    workspace: Workspace
    tools: Tools
    lease: Lease | None = None

    @property
    def now(self) -> datetime:
        """The workspace's time."""
        return self.workspace.clock.now()

    def guard(self, transaction: Transaction) -> None:
        """Refuse to write once the lease is lost. Raises LeaseLost."""
        if self.lease is not None:
            transaction.guard(self.lease)


def open_job(workshop: Workshop, *, why: str, takes: timedelta = timedelta()) -> Job:
    """A new retraining job; its release opens `takes` after now, the time that training takes in the world."""
    now = workshop.now
    product = workshop.product.name
    with workshop.workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        number = len(transaction.all(Job, product)) + 1
        job = Job(
            id=f"j{number:04d}",
            product=product,
            kind="retrain",
            state=RUNNING,
            created_at=now,
            ready_at=now + takes,
            why=why,
        )
        transaction.put(job)
        transaction.log(product=product, kind="job started", subject=job.id, body={"why": why})
    return job


def open_jobs(transaction: Transaction, product: str) -> list[Job]:
    """Jobs that are not finished, oldest first."""
    return [job for job in transaction.all(Job, product) if job.state == RUNNING]


def work_on(workshop: Workshop, job: Job) -> Release | None:
    """The release that the job opened once it is due; None while it waits, or after it failed.

    A failure is recorded on the job with its reason; it does not stop the loop. What may pass by itself is tried
    again, later each time, `ATTEMPTS` times in a row at most. Raises LeaseLost: another worker has the job now.
    """
    try:
        return _work(workshop, job)
    except LeaseLost:
        raise
    except SeatrialError as error:
        if error.retryable:
            _try_later(workshop, job, str(error))
        else:
            _finish(workshop, job, FAILED, error=str(error))
        return None


def _work(workshop: Workshop, job: Job) -> Release | None:
    job = _stored(workshop, job)
    if _is_ahead(workshop, job.not_before):
        return None
    snapshot, job = _snapshot(workshop, job)
    model, job = _model(workshop, job, snapshot)
    made, blocked = _opened(workshop, job, model)
    if made is None and (blocked or _is_ahead(workshop, job.ready_at)):
        return None
    release = made or release_model(workshop, model, snapshot, published_lookups(workshop), why=job.why)
    _finish(workshop, _record(workshop, job, release=release.id), DONE)
    return release


def _is_ahead(workshop: Workshop, moment: datetime | None) -> bool:
    return moment is not None and moment > workshop.now


def _try_later(workshop: Workshop, job: Job, error: str) -> None:
    """Note a failure that may pass: the job waits twice as long after each, and fails after the last."""
    stored = _stored(workshop, job)
    attempts = stored.attempts + 1
    if attempts >= ATTEMPTS:
        _finish(workshop, job, FAILED, error=f"given up after {attempts} attempts: {error}")
        return
    not_before = workshop.now + min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)
    delayed = msgspec.structs.replace(stored, attempts=attempts, not_before=not_before, error=error)
    with workshop.workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        transaction.put(delayed)
        body = {"error": error, "attempts": attempts, "not_before": not_before.isoformat()}
        transaction.log(product=job.product, kind="job delayed", subject=job.id, body=body)


def _opened(workshop: Workshop, job: Job, model: Model) -> tuple[Release | None, bool]:
    """The release that this job opened before it was killed, if any; and whether another one is on trial."""
    name = workshop.product.name
    with workshop.workspace.metadata.begin() as transaction:
        since = [r for r in transaction.all(Release, name) if r.created_at >= job.created_at]
        made = next((release for release in since if release.bundle.model == model.id), None)
        return made, challenger(transaction, name) is not None


def _snapshot(workshop: Workshop, job: Job) -> tuple[Snapshot, Job]:
    product, workspace = workshop.product, workshop.workspace
    if "snapshot" in job.output:
        with workspace.metadata.begin() as transaction:
            stored = transaction.get(Snapshot, product.name, job.output["snapshot"])
        if stored is not None:
            return stored, job
    history = workshop.tools.history.read(product)
    snapshot = take_snapshot(workshop, history, as_of=job.created_at)
    return snapshot, _record(workshop, job, snapshot=snapshot.id)


def published_lookups(workshop: Workshop) -> dict[str, str]:
    """The lookups as they were last published, read from the sources only where one is missing."""
    product = workshop.product
    declared = product.file.examples.lookups
    with workshop.workspace.metadata.begin() as transaction:
        published = transaction.get(LookupTables, product.name, CURRENT)
    tables = published.tables if published else {}
    if declared.keys() <= tables.keys():
        return {name: tables[name] for name in declared}
    return publish_lookups(workshop, workshop.tools.history.read(product).lookups)


def publish_lookups(workshop: Workshop, prepared: dict[str, pl.DataFrame]) -> dict[str, str]:
    """The whole tables, by artifact, after the prepared lookups were published to the servers."""
    return publish(
        workshop.workspace, workshop.product, prepared, at=workshop.now, guard=workshop.guard
    ).tables


def take_snapshot(workshop: Workshop, history: History, *, as_of: datetime) -> Snapshot:
    """The snapshot of all examples that matured by `as_of`, stored and logged; its lookups are published to servers."""
    product, workspace = workshop.product, workshop.workspace
    examples = examples_as_of(product, history.examples, as_of)
    snapshot = save_snapshot(product, examples, history.tables, workspace, as_of=as_of, at=workshop.now)
    publish_lookups(workshop, history.lookups)
    with workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        if transaction.get(Snapshot, product.name, snapshot.id) != snapshot:
            transaction.put(snapshot)
            body = {
                "rows": snapshot.rows,
                "sources": {source.name: source.digest for source in snapshot.sources},
                "put_aside": {rule.rule: rule.failed for rule in snapshot.rules if rule.failed},
            }
            transaction.log(product=product.name, kind="snapshot saved", subject=snapshot.id, body=body)
    return snapshot


def _model(workshop: Workshop, job: Job, snapshot: Snapshot) -> tuple[Model, Job]:
    product, workspace = workshop.product, workshop.workspace
    if "model" in job.output:
        with workspace.metadata.begin() as transaction:
            stored = transaction.get(Model, product.name, job.output["model"])
        if stored is not None:
            return stored, job
    model = fit_model(workshop, snapshot, why=job.why)
    return model, _record(workshop, job, model=model.id)


def fit_model(workshop: Workshop, snapshot: Snapshot, *, why: str) -> Model:
    """A model trained on the snapshot and compared with the live one, registered."""
    product, workspace = workshop.product, workshop.workspace
    model = train_model(
        product,
        load_snapshot(snapshot, workspace.tables),
        snapshot,
        framework=workshop.tools.framework,
        runtime=workshop.tools.runtime,
        artifacts=workspace.artifacts,
        clock=workspace.clock,
        why=why,
        rival=_rival(workshop),
    )
    with workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        register(model, transaction)
    return model


def _rival(workshop: Workshop) -> Rival | None:
    workspace, product = workshop.workspace, workshop.product
    with workspace.metadata.begin() as transaction:
        live = live_release(transaction, product.name)
        model = transaction.get(Model, product.name, live.bundle.model) if live else None
    if live is None or model is None:
        return None
    scorer = workshop.tools.runtime.load(workspace.artifacts.get(live.bundle.model_artifact))
    released = bundled_product(live.bundle, workspace.artifacts)
    return Rival(
        scorer=scorer, threshold=live.bundle.threshold, product=released, trained_to=model.trained_to
    )


def release_model(
    workshop: Workshop, model: Model, snapshot: Snapshot, lookups: dict[str, str], *, why: str
) -> Release:
    """A release of the model, as far as its gates let it: live when nothing is, else in shadow, else retired.

    Where the product file asks for a person, the first one stays a candidate until it is approved.
    """
    product, workspace = workshop.product, workshop.workspace
    gates = run_gates(product, model, snapshot)
    bundle = make_bundle(product, model, lookups, workspace.artifacts)
    faults = refused(gates)
    now = workshop.now
    with workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        release = open_candidate(transaction, bundle, gates, now=now, why=why)
        if faults:
            return withdraw(transaction, release, now=now, why="refused by its gates: " + "; ".join(faults))
        if live_release(transaction, product.name) is None:
            if "live" in product.file.release.approve:
                body = {"why": "gates passed; the product file asks for approval"}
                transaction.log(product=product.name, kind="approval asked", subject=release.id, body=body)
                return release
            return to_live(transaction, release, now=now, why="gates passed; nothing was live before")
        return to_trial(
            transaction, release, Phase.SHADOW, 0.0, now=now, why="gates passed; watched in shadow"
        )


def _stored(workshop: Workshop, job: Job) -> Job:
    with workshop.workspace.metadata.begin() as transaction:
        return transaction.get(Job, job.product, job.id) or job


def _record(workshop: Workshop, job: Job, **output: str) -> Job:
    """The job with what it made; that is progress, so its earlier failures no longer count."""
    made = {**job.output, **output}
    updated = msgspec.structs.replace(job, output=made, attempts=0, not_before=None, error=None)
    with workshop.workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        transaction.put(updated)
    return updated


def _finish(workshop: Workshop, job: Job, state: str, error: str | None = None) -> None:
    with workshop.workspace.metadata.begin() as transaction:
        workshop.guard(transaction)
        stored = transaction.get(Job, job.product, job.id)
        if stored is None:
            raise NotFound(f"job {job.id} of {job.product} is gone from the metadata store")
        done = msgspec.structs.replace(stored, state=state, finished_at=workshop.now, error=error)
        transaction.put(done)
        body = {"output": done.output, "error": error}
        transaction.log(product=job.product, kind=f"job {state}", subject=job.id, body=body)

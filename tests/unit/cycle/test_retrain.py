"""A retraining is a job that goes on where it was killed."""

import dataclasses
from datetime import timedelta

import msgspec
import polars as pl
import pytest

from seatrial.cycle.retrain import Workshop, open_job, open_jobs, work_on
from seatrial.cycle.tools import FixedHistory, History, Tools
from seatrial.errors import LeaseLost, SourceFailed, TrainingFailed
from seatrial.facts.job import Job
from seatrial.facts.lookups import LookupTables, PublishedLookup
from seatrial.facts.model import Model
from seatrial.facts.release import Phase
from seatrial.facts.snapshot import Snapshot
from seatrial.product.lookup_files import to_bytes
from seatrial.product.lookups import KNOWN, TOLD
from seatrial.product.product import Product
from seatrial.product.schema import Lookup
from tests.fakes.training import CountingEstimator
from tests.parcels_loop import DAY, LAUNCH, Killed, TallyingFramework, World

# Snapshot, model, release, each noted on the job afterwards; then the job's end.
EFFECTS = 7


def work_on_open(world: World) -> None:
    """What a round of the loop does with jobs."""
    with world.metadata.begin() as transaction:
        jobs = open_jobs(transaction, world.product.name)
    for job in jobs:
        work_on(world.workshop(), job)


class DyingFramework(TallyingFramework):
    """Raises when a training begins, as often as told."""

    def __init__(self, error: BaseException, times: int) -> None:
        super().__init__()
        self.error, self.times = error, times

    def load(self, product: Product) -> CountingEstimator:
        estimator = super().load(product)
        if self.trainings <= self.times:
            raise self.error
        return estimator


def launched() -> World:
    world = World()
    world.launch()
    world.clock.advance(3 * DAY)
    return world


def with_framework(world: World, framework: TallyingFramework) -> Workshop:
    tools = Tools(history=world.tools.history, framework=framework, runtime=world.tools.runtime)
    return Workshop(world.product, world.workspace, tools)


def stored(world: World, kind: type[Snapshot] | type[Model]) -> int:
    with world.metadata.begin() as transaction:
        return len(transaction.all(kind, world.product.name))


def test_a_job_ends_with_a_release_in_shadow_and_says_what_it_made() -> None:
    world = launched()
    job = open_job(world.workshop(), why="age")
    release = work_on(world.workshop(), job)
    assert release is not None
    assert (release.phase, release.why) == (Phase.SHADOW, "gates passed; watched in shadow")
    [done] = world.jobs()
    assert (done.state, done.finished_at, done.error) == ("done", world.clock.now(), None)
    assert done.output == {
        "snapshot": release_snapshot(world),
        "model": release.bundle.model,
        "release": release.id,
    }
    with world.metadata.begin() as transaction:
        assert open_jobs(transaction, world.product.name) == []


def release_snapshot(world: World) -> str:
    with world.metadata.begin() as transaction:
        return transaction.all(Snapshot, world.product.name)[-1].id


def test_the_snapshot_holds_what_had_matured_when_the_job_began_though_it_is_worked_on_later() -> None:
    world = launched()
    job = open_job(world.workshop(), why="age")
    world.clock.advance(2 * DAY)
    work_on(world.workshop(), job)
    with world.metadata.begin() as transaction:
        snapshot = transaction.all(Snapshot, world.product.name)[-1]
    assert snapshot.as_of == job.created_at
    assert snapshot.last_made_at <= job.created_at - DAY


def test_a_job_that_was_killed_after_its_snapshot_does_not_take_it_again() -> None:
    world = launched()
    workshop = with_framework(world, DyingFramework(Killed(), times=1))
    job = open_job(workshop, why="age")
    with pytest.raises(Killed):
        work_on(workshop, job)
    [half] = world.jobs()
    assert half.output.keys() == {"snapshot"}
    world.clock.advance(DAY)
    assert work_on(workshop, job) is not None
    assert world.jobs()[0].output["snapshot"] == half.output["snapshot"]
    assert (stored(world, Snapshot), world.kinds().count("snapshot saved")) == (2, 2)


def test_a_job_that_was_killed_after_its_model_does_not_train_again() -> None:
    world = launched()
    job = open_job(world.workshop(), why="age", takes=timedelta(days=2))
    assert work_on(world.workshop(), job) is None
    assert world.jobs()[0].output.keys() == {"snapshot", "model"}
    trainings = world.framework.trainings
    world.clock.advance(DAY)
    assert work_on(world.workshop(), job) is None, "its training still takes time in the world"
    world.clock.advance(DAY)
    assert work_on(world.workshop(), job) is not None
    assert world.framework.trainings == trainings == 2
    assert stored(world, Model) == 2


@pytest.mark.parametrize("effect", range(1, EFFECTS + 1))
def test_a_job_killed_anywhere_ends_with_one_release(effect: int) -> None:
    world = launched()
    open_job(world.workshop(), why="age")
    world.fate.last = world.fate.effects + effect
    with pytest.raises(Killed):
        work_on_open(world)
    work_on_open(world)
    assert [release.phase for release in world.releases()] == [Phase.LIVE, Phase.SHADOW]
    assert [job.state for job in world.jobs()] == ["done"]
    assert world.kinds().count("release shadow") == world.kinds().count("job done") == 1


def test_a_job_waits_while_another_release_is_on_trial() -> None:
    world = launched()
    first = open_job(world.workshop(), why="age", takes=2 * DAY)
    work_on(world.workshop(), first)
    world.clock.advance(DAY)
    assert work_on(world.workshop(), open_job(world.workshop(), why="by hand")) is not None
    world.clock.advance(DAY)
    assert work_on(world.workshop(), first) is None
    tick = world.reconciler().tick()
    assert [step.release for step in tick.steps] == ["r0002"], "the trial is judged meanwhile"
    assert world.jobs()[0].state == "running"


def test_a_training_that_cannot_succeed_fails_its_job_and_not_the_loop() -> None:
    world = launched()
    workshop = with_framework(world, DyingFramework(TrainingFailed("no estimator"), times=99))
    assert work_on(workshop, open_job(workshop, why="age")) is None
    [failed] = world.jobs()
    assert (failed.state, failed.error) == ("failed", "no estimator")
    assert world.logbook()[-1].body["error"] == "no estimator"
    world.live_through(range(4, 6))
    assert len(world.jobs()) == 1, "the next retraining keeps its distance"


class Sources(FixedHistory):
    """The same history, read from sources that may be away."""

    def __init__(self, history: History) -> None:
        super().__init__(history)
        self.history, self.reads, self.away = history, 0, False

    def read(self, product: Product) -> History:
        self.reads += 1
        if self.away:
            raise SourceFailed("the warehouse is away")
        return self.history


def with_sources(world: World) -> Sources:
    """The world, from now on with sources that count."""
    sources = Sources(world.history)
    world.tools = dataclasses.replace(world.tools, history=sources)
    return sources


def test_an_outage_is_noted_on_the_job_and_tried_again_later() -> None:
    world = launched()
    sources = with_sources(world)
    job = open_job(world.workshop(), why="age")
    sources.away = True
    assert work_on(world.workshop(), job) is None
    [waiting] = world.jobs()
    assert (waiting.state, waiting.attempts, waiting.error) == ("running", 1, "the warehouse is away")
    assert waiting.not_before == world.clock.now() + timedelta(minutes=1)
    assert world.kinds()[-1] == "job delayed"
    sources.away = False
    assert work_on(world.workshop(), job) is None, "its time has not come"
    assert sources.reads == 1
    world.clock.advance(timedelta(minutes=1))
    assert work_on(world.workshop(), job) is not None
    [done] = world.jobs()
    assert (done.state, done.attempts, done.error) == ("done", 0, None)


def test_the_wait_doubles_up_to_an_hour_and_a_job_is_given_up_after_eight_attempts() -> None:
    world = launched()
    sources = with_sources(world)
    sources.away = True
    open_job(world.workshop(), why="age")
    waits = []
    while (job := world.jobs()[0]).state == "running":
        world.clock.advance_to(job.not_before or world.clock.now())
        work_on_open(world)
        later = world.jobs()[0].not_before
        assert later is not None
        waits.append((later - world.clock.now()) // timedelta(minutes=1))
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert (job.attempts, sources.reads) == (7, 8)
    assert job.error == "given up after 8 attempts: the warehouse is away"
    assert job.finished_at == world.clock.now()


def test_a_job_that_was_stored_before_jobs_were_tried_again_reads_as_never_tried() -> None:
    old = b'{"id": "j1", "product": "p", "kind": "retrain", "state": "running", "created_at": "2025-01-01T00:00:00Z"}'
    job = msgspec.json.decode(old, type=Job)
    assert (job.attempts, job.not_before) == (0, None)


def test_a_lost_lease_is_no_failure_of_the_job() -> None:
    world = launched()
    workshop = with_framework(world, DyingFramework(LeaseLost("another worker"), times=1))
    job = open_job(workshop, why="age")
    with pytest.raises(LeaseLost):
        work_on(workshop, job)
    assert world.jobs()[0].attempts == 0


def test_an_unreachable_source_does_not_stop_the_round_in_which_the_trial_is_judged() -> None:
    world = launched()
    release = work_on(world.workshop(), open_job(world.workshop(), why="age"))
    assert release is not None
    with_sources(world).away = True
    open_job(world.workshop(), why="by hand")
    tick = world.reconciler().tick()
    assert [step.release for step in tick.steps] == [release.id]
    assert world.jobs()[-1].error == "the warehouse is away"


def test_a_job_that_only_waits_reads_no_source() -> None:
    world = launched()
    sources = with_sources(world)
    job = open_job(world.workshop(), why="age", takes=2 * DAY)
    work_on(world.workshop(), job)
    assert sources.reads == 1, "for its snapshot"
    sources.away = True
    world.clock.advance(DAY)
    assert work_on(world.workshop(), job) is None
    world.clock.advance(DAY)
    assert work_on(world.workshop(), job) is not None
    assert sources.reads == 1


def looking_up(product: Product, *names: str) -> Product:
    """The product with lookups of these names."""
    lookup = Lookup.model_validate(
        {"on": ["city"], "as_of": "seen_at", "available_after": "1h", "columns": ["rain"]}
    )
    examples = product.file.examples.model_copy(update={"lookups": dict.fromkeys(names, lookup)})
    return dataclasses.replace(product, file=product.file.model_copy(update={"examples": examples}))


WEATHER = pl.DataFrame({"city": ["Graz"], KNOWN: [LAUNCH], TOLD: [LAUNCH], "rain": [0.5]})


@pytest.mark.parametrize(("published", "reads"), [(["weather", "gone"], 1), ([], 2)])
def test_a_release_takes_the_lookups_that_were_published_and_reads_them_only_if_one_is_missing(
    published: list[str], reads: int
) -> None:
    world = launched()
    sources = Sources(dataclasses.replace(world.history, lookups={}))
    world.tools = dataclasses.replace(world.tools, history=sources)
    job = open_job(world.workshop(), why="age", takes=DAY)
    work_on(world.workshop(), job)
    sources.history = dataclasses.replace(world.history, lookups={"weather": WEATHER})
    with world.metadata.begin() as transaction:
        stored = {name: PublishedLookup(on=("city",), base=f"sha256:{name}") for name in published}
        now = world.clock.now()
        transaction.put(LookupTables(product=world.product.name, lookups=stored, published_at=now))
    world.clock.advance(DAY)
    world.product = looking_up(world.product, "weather")
    release = work_on(world.workshop(), job)
    assert release is not None
    expected = "sha256:weather" if published else world.artifacts.put(to_bytes(WEATHER))
    assert release.bundle.lookups == {"weather": expected}
    assert sources.reads == reads

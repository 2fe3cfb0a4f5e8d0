"""A retraining is a job that goes on where it was killed."""

import dataclasses
from datetime import timedelta

import polars as pl
import pytest

from seatrial.contract.types import polars_schema
from seatrial.cycle.retrain import Workshop, open_job, open_jobs, take_snapshot, work_on
from seatrial.cycle.tools import Tools
from seatrial.errors import SourceFailed, TrainingFailed
from seatrial.facts.model import Model
from seatrial.facts.release import Phase
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import QUARANTINE
from seatrial.product.product import Product
from tests.fakes.training import CountingEstimator
from tests.parcels_loop import DAY, Killed, TallyingFramework, World

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


def test_an_outage_is_no_failure_of_the_job() -> None:
    world = launched()
    workshop = with_framework(world, DyingFramework(SourceFailed("away"), times=1))
    job = open_job(workshop, why="age")
    with pytest.raises(SourceFailed):
        work_on(workshop, job)
    assert world.jobs()[0].state == "running"
    assert work_on(workshop, job) is not None


def test_rows_that_broke_the_contract_are_kept_once() -> None:
    world = World()
    schema = polars_schema(QUARANTINE)
    aside = pl.DataFrame([dict.fromkeys(schema, None)], schema=schema)
    tables = dataclasses.replace(world.history.tables, quarantined=aside)
    history = dataclasses.replace(world.history, tables=tables)
    for _ in range(2):
        take_snapshot(world.workshop(), history, as_of=world.clock.now())
    assert world.stored("quarantine").height == 1
    assert world.kinds() == ["snapshot saved"]

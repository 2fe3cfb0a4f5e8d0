"""Rounds of the loop on a small product: what happens by itself, and who may do it."""

from typing import Any

import msgspec
import pytest

from seatrial.cycle.reconcile import LEASE_SECONDS, Reconciler, policy_of
from seatrial.cycle.retrain import Workshop, open_job
from seatrial.cycle.stages import approve, make_snapshot, release_newest, train_newest
from seatrial.errors import LeaseLost
from seatrial.facts.finding import Incident
from seatrial.facts.logbook import chain_faults
from seatrial.facts.release import Phase, Release
from seatrial.facts.step import StepKind
from tests.parcels_loop import DAY, LAUNCH, QUICK, World
from tests.situations import incident

# A package that calls near parcels late and far ones punctual.
CONTRARY = b'{"column":"distance","shares":[1,1,1,1,0,0,0,0,0,0,0,0],"width":60}'
ASKS = """
release: {shadow: {outcomes: 20}, canary: [], approve: [live]}
retrain: {on: []}
"""

# A trial takes two weeks of outcomes.
LONG: dict[str, Any] = {"rows": 1800, "days": 60}


def on_trial(more: str = QUICK) -> World:
    """A product whose second release is in shadow."""
    world = World(more=more, **LONG)
    world.launch()
    world.live_through(range(1))
    assert tried(world).phase is Phase.SHADOW
    return world


def tried(world: World) -> Release:
    """Another release of what has matured by now."""
    workshop = world.workshop()
    make_snapshot(workshop)
    train_newest(workshop, why="a try")
    return release_newest(workshop, why="a try")


def test_an_aged_model_is_retrained_and_its_release_goes_live_step_by_step() -> None:
    world = World(**LONG)
    world.launch()
    world.live_through(range(21))
    assert world.kinds()[:13] == [
        "snapshot saved",
        "model registered",
        "release candidate",
        "release live",
        "job started",
        "snapshot saved",
        "model registered",
        "release candidate",
        "release shadow",
        "job done",
        "release canary",
        "release retired",
        "release live",
    ]
    first, second, *_ = world.releases()
    assert (first.phase, second.phase, second.previous) == (Phase.RETIRED, Phase.LIVE, "r0001")
    assert chain_faults(world.logbook()) == []


def test_both_releases_are_booked_on_every_row_of_a_trial_and_each_answer_once() -> None:
    world = World(**LONG)
    world.launch()
    world.live_through(range(21))
    ledger = world.ledger()
    assert not ledger.select("prediction_id", "release").is_duplicated().any()
    answers = ledger.filter(ledger["assigned"] != "shadow")
    assert not answers["prediction_id"].is_duplicated().any()
    assert {"live", "canary", "shadow"} == set(ledger["assigned"])


def test_every_step_of_a_release_has_the_numbers_it_was_decided_by() -> None:
    world = World(**LONG)
    world.launch()
    world.live_through(range(21))
    moved = [e for e in world.logbook() if e.kind in {"release canary", "release live"}][1:]
    assert len(moved) == 2
    for entry in moved:
        assert {"difference_per_row", "lower", "upper", "rows", "days", "share"} <= entry.body[
            "numbers"
        ].keys()


def test_going_live_closes_the_incidents_of_the_release_before() -> None:
    world = on_trial()
    with world.metadata.begin() as transaction:
        transaction.put(msgspec.structs.replace(incident(), product=world.product.name))
    world.live_through(range(1, 18))
    with world.metadata.begin() as transaction:
        [closed] = transaction.all(Incident)
    assert closed.closed_by == "r0002"
    assert world.kinds().count("incident closed") == 1


def test_a_challenger_without_any_booked_row_waits() -> None:
    world = World()
    world.launch()
    world.clock.advance(DAY)
    tried(world)
    [step] = world.reconciler().tick().steps
    assert step.kind is StepKind.HOLD


def test_approval_is_asked_once_and_going_live_waits_for_it() -> None:
    world = on_trial(ASKS)
    worker = world.reconciler()
    world.live_through(range(1, 18), worker)
    assert world.kinds().count("approval asked") == 2  # once for the first release, once for this one
    assert world.releases()[1].phase is Phase.SHADOW
    approve(world.workspace, world.product.name, "r0002", actor="ann")
    [step] = worker.tick().steps
    assert (step.kind, world.releases()[1].phase) == (StepKind.PROMOTE, Phase.LIVE)
    [_, approved] = [entry for entry in world.logbook() if entry.kind == "approved"]
    assert (approved.subject, approved.actor) == ("r0002", "ann")


def test_a_challenger_that_earns_less_is_taken_back() -> None:
    world = on_trial("release: {shadow: {outcomes: 20}, canary: []}\nretrain: {on: []}\n")
    second = world.releases()[1]
    with world.metadata.begin() as transaction:
        bundle = msgspec.structs.replace(second.bundle, model_artifact=world.artifacts.put(CONTRARY))
        transaction.put(msgspec.structs.replace(second, bundle=bundle))
    ticks = world.live_through(range(1, 9))
    assert [step.kind for tick in ticks for step in tick.steps][-1] is StepKind.ROLL_BACK
    assert world.releases()[1].phase is Phase.ROLLED_BACK
    assert world.releases()[0].phase is Phase.LIVE
    assert {step.kind for tick in ticks[:6] for step in tick.steps} == {StepKind.HOLD}


def test_while_another_worker_holds_the_lease_nothing_is_done() -> None:
    world = World()
    world.launch()
    world.serve_day(0)
    assert world.metadata.acquire("loop:late-parcels", "another", LEASE_SECONDS) is not None
    worker = world.reconciler()
    assert (worker.tick().busy, worker.observe().busy) == (True, True)
    assert world.stored("predictions").width == 0
    world.clock.advance(DAY)
    assert not worker.tick().busy
    assert world.stored("predictions").height == world.sent_on(0).height


def test_a_released_lease_is_free_at_once() -> None:
    world = World()
    world.launch()
    first, second = world.reconciler("one"), world.reconciler("two")
    assert not first.tick().busy
    assert second.tick().busy
    first.release_lease()
    assert not second.tick().busy


def test_a_worker_that_lost_its_lease_starts_no_job() -> None:
    world = World()
    world.launch()
    lease = world.metadata.acquire("loop:late-parcels", "one", LEASE_SECONDS)
    world.clock.advance(DAY)
    assert not world.reconciler("two").tick().busy
    late = Workshop(world.product, world.workspace, world.tools, lease)
    before = world.logbook()
    with pytest.raises(LeaseLost):
        open_job(late, why="too late")
    assert (world.jobs(), world.logbook()) == ([], before)


def test_two_workers_that_take_turns_lose_nothing_and_book_nothing_twice() -> None:
    """A worker that comes back after another one was at it forgets what it remembered."""
    world = World(more="retrain: {on: []}\n")
    world.launch()
    one, two = world.reconciler("one"), world.reconciler("two")
    for day, worker in enumerate([one, two, one, one, two, one]):
        world.serve_day(day)
        assert not worker.tick().busy
    world.clock.advance(2 * DAY)
    two.tick()
    sent = sum(world.sent_on(day).height for day in range(6))
    assert world.stored("ledger")["batch"].count() == sent
    assert world.ledger().height == sent
    assert world.ledger()["label"].null_count() == 0


def test_the_policy_is_the_product_files() -> None:
    policy = policy_of(World(more=QUICK).product)
    assert (policy.shadow_outcomes, policy.canary, policy.approve_live) == (20, (0.5,), False)
    assert policy.retrain_on == {"harm", "age"}
    assert (policy.max_age, policy.at_most) == (6 * DAY.total_seconds(), 3 * DAY.total_seconds())
    assert policy_of(World(more=ASKS).product).approve_live


def test_an_empty_workspace_is_nothing_to_do() -> None:
    world = World()
    tick = Reconciler(world.product, world.workspace, world.tools, holder="loop").tick()
    assert (tick.busy, tick.segments, tick.settled, tick.incidents, tick.steps) == (False, 0, 0, (), ())
    assert world.clock.now() == LAUNCH

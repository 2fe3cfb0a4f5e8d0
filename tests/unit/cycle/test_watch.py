"""The watch counts each ledger batch once, also after a worker died between booking and watching."""

import pytest

from seatrial.cycle.drain import drain
from seatrial.cycle.reconcile import Reconciler
from seatrial.cycle.settle import Settlement
from seatrial.cycle.watch import PROGRESS
from seatrial.errors import LeaseLost
from seatrial.facts.finding import Finding
from seatrial.facts.job import Progress
from tests.parcels_loop import DAY, LAUNCH, World


def watched(world: World) -> tuple[Progress | None, list[Finding]]:
    with world.metadata.begin() as transaction:
        progress = transaction.get(Progress, world.product.name, PROGRESS)
        findings = [f for f in transaction.all(Finding) if f.measure in {"loss", "value"}]
    return progress, findings


def rows_seen(progress: Progress | None) -> int:
    """Rows of the days that the watch remembers, complete or not."""
    assert progress is not None
    return sum(day["rows"] for day in [*progress.state["days"], *progress.state["waiting"]])


def booked_only(world: World) -> None:
    """A worker that drains and settles and dies before it watches."""
    settlement = Settlement(world.workspace, world.product)
    settlement.take_in(drain(world.workspace, world.product))
    settlement.settle(world.clock.now())


def days(number: int) -> World:
    world = World()
    world.launch()
    world.live_through(range(number))
    return world


def test_every_settled_answer_is_counted_and_the_position_is_the_last_batch() -> None:
    world = days(4)
    progress, findings = watched(world)
    assert progress is not None
    assert progress.position == world.stored("ledger")["batch"].max()
    assert rows_seen(progress) == world.ledger().height
    assert len(findings) == 2 * len(progress.state["days"])


def test_a_round_without_bookings_counts_nothing_again() -> None:
    world = days(4)
    before = rows_seen(watched(world)[0])
    Reconciler(world.product, world.workspace, world.tools, holder="loop").tick()
    assert rows_seen(watched(world)[0]) == before


@pytest.mark.parametrize("rest", [0, 1])
def test_a_batch_that_was_booked_but_not_watched_is_read_again(rest: int) -> None:
    """By the next round, whether it books rows of its own or not, and though the batch's days end with it."""
    whole, broken = days(4), days(3)
    broken.serve_day(3)
    booked_only(broken)
    broken.reconciler().tick()
    for world in (whole, broken):
        world.live_through(range(4, 4 + rest))
    (expected, findings), (found, again) = watched(whole), watched(broken)
    assert expected is not None
    assert found is not None
    assert (found.position, found.state) == (expected.position, expected.state)
    assert again == findings


def test_several_missed_batches_are_read_in_order() -> None:
    whole, broken = days(5), days(2)
    for day in (2, 3):
        broken.serve_day(day)
        booked_only(broken)
    broken.live_through(range(4, 5))
    assert rows_seen(watched(broken)[0]) == rows_seen(watched(whole)[0])


def test_nothing_is_watched_while_nothing_is_live() -> None:
    world = World()
    world.clock.advance(DAY)
    world.reconciler().tick()
    assert watched(world) == (None, [])


def test_a_lost_lease_writes_nothing() -> None:
    world = days(3)
    world.clock.advance(DAY)
    lease = world.metadata.acquire("loop:late-parcels", "one", 600)
    assert lease is not None
    world.clock.advance(DAY)
    assert world.metadata.acquire("loop:late-parcels", "two", 600) is not None
    before = watched(world)
    assert before[0] is not None
    with pytest.raises(LeaseLost, match="two"):
        world.reconciler().watch.take_in(before[0].position + 1, world.stored("ledger")[:5], lease)
    assert watched(world) == before


def nights(number: int, *, dies_on: int | None = None) -> World:
    """Days whose outcomes are posted three days later, long after their answers were booked without one."""
    world = World()
    world.launch()
    worker = world.reconciler()
    for day in range(number):
        world.clock.advance_to(LAUNCH + (day + 1) * DAY)
        world.answer(world.sent_on(day))
        if day >= 3:
            world.report(world.sent_on(day - 3))
        world.writer.seal()
        if day == dies_on:
            booked_only(world)
            worker = world.reconciler()
        worker.tick()
    return world


def test_outcomes_that_come_nightly_after_maturity_reach_the_watch_and_the_trial() -> None:
    world = nights(16)
    progress, findings = watched(world)
    assert progress is not None
    assert world.stored("ledger").filter("awaited").height > 100
    assert min(finding.sample_size for finding in findings) > 0
    assert len(progress.state["days"]) >= 8
    assert progress.state["late"] == progress.state["uncovered"] == 0
    assert {"release shadow", "release canary"} <= set(world.kinds())


def test_late_outcomes_that_were_booked_but_not_watched_are_read_again() -> None:
    (whole, findings), (broken, again) = watched(nights(8)), watched(nights(8, dies_on=5))
    assert whole is not None
    assert broken is not None
    assert (broken.position, broken.state) == (whole.position, whole.state)
    assert again == findings

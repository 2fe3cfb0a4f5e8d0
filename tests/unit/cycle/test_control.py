"""The rhythm of the loop: what it survives, and what ends it."""

from dataclasses import dataclass, field
from threading import Event

import pytest

from seatrial.cycle.control import run_loop
from seatrial.cycle.reconcile import Reconciler, Tick
from seatrial.errors import IntegrityBroken, SeatrialError, SourceFailed
from tests.parcels_loop import World


@dataclass
class Rounds(Reconciler):
    """A reconciler whose rounds fail as told, in order; then they do what rounds do."""

    failures: list[SeatrialError] = field(default_factory=list)

    def tick(self) -> Tick:
        tick = super().tick()
        if self.failures:
            raise self.failures.pop(0)
        return tick


def rounds(world: World, failures: list[SeatrialError]) -> Rounds:
    return Rounds(world.product, world.workspace, world.tools, holder="loop", failures=failures)


def run(worker: Rounds, ticks: int) -> list[Tick]:
    """The rounds that came through, until there were so many."""
    stop, done = Event(), list[Tick]()

    def on_tick(tick: Tick) -> None:
        done.append(tick)
        if len(done) == ticks:
            stop.set()

    run_loop(worker, stop, seconds=0.0, on_tick=on_tick)
    return done


def test_rounds_go_on_until_told_to_stop_and_leave_the_lease_free() -> None:
    world = World()
    assert len(run(rounds(world, []), 3)) == 3
    assert world.metadata.acquire("loop:late-parcels", "another", 60) is not None


def test_a_round_that_may_succeed_later_is_tried_again_from_what_is_stored() -> None:
    world = World()
    world.launch()
    world.serve_day(0)
    worker = rounds(world, [SourceFailed("away"), SourceFailed("still away")])
    assert len(run(worker, 1)) == 1
    assert worker.failures == []
    assert world.stored("predictions").height == world.sent_on(0).height


def test_a_round_that_can_never_succeed_ends_the_loop() -> None:
    world = World()
    with pytest.raises(IntegrityBroken):
        run(rounds(world, [IntegrityBroken("bytes changed")]), 1)


def test_told_to_stop_before_the_first_round_it_does_none() -> None:
    world = World()
    stop = Event()
    stop.set()
    run_loop(rounds(world, []), stop, seconds=0.0, on_tick=lambda _: pytest.fail("a round was run"))
    assert world.logbook() == []

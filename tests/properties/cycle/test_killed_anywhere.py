"""The loop may be killed after any lasting effect: a new worker ends up where the killed one would have."""

from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.facts.finding import Finding
from seatrial.facts.job import Progress
from seatrial.facts.logbook import chain_faults
from tests.parcels_loop import Killed, World

DAYS = 4
FAST = """
release: {shadow: {outcomes: 10}, canary: []}
retrain: {max_age: 2d, at_most: 1 per 2d}
"""


def lived(killed_after: int | None) -> tuple[World, int]:
    """A world after its days, whose worker died once after so many effects; and the number of effects.

    Every round is done twice at the same moment, as a restarted worker repeats it.
    """
    world = World(more=FAST, rows=300)
    world.launch()
    first = world.fate.effects
    world.fate.last = None if killed_after is None else first + killed_after
    worker = world.reconciler()
    for day in range(DAYS):
        world.serve_day(day)
        for _ in range(2):
            try:
                worker.tick()
            except Killed:
                worker = world.reconciler()
                worker.tick()
    return world, world.fate.effects - first


@cache
def undisturbed() -> tuple[World, int]:
    return lived(None)


def remembered(world: World) -> dict[str, Any]:
    with world.metadata.begin() as transaction:
        findings = {f.id: f for f in transaction.all(Finding)}
        progress = {p.id: (p.position, p.state) for p in transaction.all(Progress)}
    return {
        "findings": findings,
        "progress": progress,
        "releases": world.releases(),
        "jobs": world.jobs(),
        "kinds": world.kinds(),
    }


def test_the_days_hold_what_can_go_wrong() -> None:
    world, effects = undisturbed()
    assert {"job started", "release shadow", "job done", "release live"} <= set(world.kinds())
    assert world.ledger()["label"].null_count() == 0
    assert effects > 30


@settings(max_examples=15)
@given(st.floats(0, 1))
def test_a_killed_worker_changes_nothing_of_what_is_recorded(place: float) -> None:
    expected, effects = undisturbed()
    found, _ = lived(1 + round(place * (effects - 1)))
    assert_frame_equal(found.ledger(), expected.ledger())
    for table in ("predictions", "outcomes", "ledger"):
        assert found.stored(table).height == expected.stored(table).height
    memory = remembered(found)
    for name, value in remembered(expected).items():
        assert memory[name] == value, name
    assert chain_faults(found.logbook()) == []

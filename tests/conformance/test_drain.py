"""Whatever the tables, and in whatever order segments come: each row is stored, once."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from seatrial.adapters.tables.delta import DeltaTables
from seatrial.cycle.drain import drain
from seatrial.facts.tables import table_name
from seatrial.ports.journal import Segment
from seatrial.ports.tables import Tables
from tests.fakes.tables import MemoryTables
from tests.parcels_loop import World

ORDERS = list(permutations(range(3)))
MAKERS: dict[str, Callable[[Path], Tables]] = {"delta": DeltaTables, "fake": lambda _: MemoryTables()}


@pytest.fixture(params=MAKERS)
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    return MAKERS[request.param](tmp_path)


def segments(world: World) -> list[Segment]:
    """Three segments of each kind by one writer, answered and reported in the same moment."""
    world.launch()
    rows = world.sent_on(0)
    for part in range(3):
        few = rows.slice(part * 3, 3)
        world.answer(few)
        world.report(few)
        world.writer.seal()
    return world.journal.sealed()


@pytest.mark.parametrize("order", ORDERS)
def test_segments_drained_in_any_order_are_all_stored_once(tables: Tables, order: tuple[int, ...]) -> None:
    world = World(rows=600)
    world.workspace = replace(world.workspace, tables=tables)
    sealed = segments(world)
    predictions, outcomes = (
        [segment for segment in sealed if segment.kind == kind] for kind in ("predictions", "outcomes")
    )
    fresh = []
    for part in [*order, *order]:
        world.journal.segments.clear()
        for segment in (predictions[part], outcomes[part]):
            world.journal.keep(segment)
        drained = drain(world.workspace, world.product)
        fresh.append((drained.predictions.height, drained.outcomes.height))
        assert world.journal.sealed() == []
    assert fresh == [(3, 3)] * 3 + [(0, 0)] * 3
    keys = sorted(world.sent_on(0)["parcel_id"][:9])
    for table in ("predictions", "outcomes"):
        assert sorted(tables.read(table_name(world.product.name, table))["key"]) == keys

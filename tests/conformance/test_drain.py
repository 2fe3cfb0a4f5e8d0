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
from seatrial.serve.actions import ActionIntake
from tests.fakes.tables import MemoryTables
from tests.parcels_loop import World

KINDS = ("predictions", "outcomes", "actions")
ORDERS = list(permutations(range(3)))
MAKERS: dict[str, Callable[[Path], Tables]] = {"delta": DeltaTables, "fake": lambda _: MemoryTables()}


@pytest.fixture(params=MAKERS)
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    return MAKERS[request.param](tmp_path)


def segments(world: World) -> list[Segment]:
    """Three segments of each kind by one writer, answered and reported in the same moment."""
    world.launch()
    actions = ActionIntake(world.product, world.writer, world.clock)
    rows = world.sent_on(0)
    for part in range(3):
        few = rows.slice(part * 3, 3)
        world.answer(few)
        world.report(few)
        actions.accept([{"key": key, "done": True} for key in few["parcel_id"]])
        world.writer.seal()
    return world.journal.sealed()


@pytest.mark.parametrize("order", ORDERS)
def test_segments_drained_in_any_order_are_all_stored_once(tables: Tables, order: tuple[int, ...]) -> None:
    world = World(rows=600)
    world.workspace = replace(world.workspace, tables=tables)
    sealed = segments(world)
    kinds = {kind: [segment for segment in sealed if segment.kind == kind] for kind in KINDS}
    fresh = []
    for part in [*order, *order]:
        world.journal.segments.clear()
        for segments_of_kind in kinds.values():
            world.journal.keep(segments_of_kind[part])
        drained = drain(world.workspace, world.product)
        fresh.append([getattr(drained, kind).height for kind in KINDS])
        assert world.journal.sealed() == []
    assert fresh == [[3, 3, 3]] * 3 + [[0, 0, 0]] * 3
    keys = sorted(world.sent_on(0)["parcel_id"][:9])
    for table in KINDS:
        assert sorted(tables.read(table_name(world.product.name, table))["key"]) == keys

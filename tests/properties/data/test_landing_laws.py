"""Whatever is delivered, and in whatever portions: what is stored is what a simple book of the rows says."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.data.landing import Landing
from seatrial.data.loads import last_load, loads_of, stored_rows
from seatrial.data.ports import Delivery, Position
from seatrial.data.quarantine import open_rows
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.product.schema import Source
from tests.fakes.workspace import memory_workspace
from tests.harbour import PRODUCT_FILE, START, call, frame, harbour_product, tide

WHOLE = harbour_product()
INCREMENTAL = harbour_product(
    PRODUCT_FILE.replace("calls: {path: calls.csv}", "calls: {path: calls.csv, incremental: announced_at}")
)
# A key among few, a crew that may break the contract (0), and an hour.
ROWS = st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 2, 3]), st.integers(0, 3))
# Many sound rows beside them, so that no delivery is refused for its bad ones.
GROUND = [(100 + number, 5, 1) for number in range(12)]
DELIVERIES = st.lists(st.lists(ROWS, max_size=5), min_size=1, max_size=5)


class Portions:
    """Delivers the portions after the one that was read last, each on its own."""

    def __init__(self, portions: list[list[tuple[int, int, int]]], *, whole: bool) -> None:
        self.portions, self.whole = portions, whole

    def read(
        self, name: str, source: Source, folder: Path | None, *, since: Position | None = None
    ) -> Iterator[Delivery]:
        if name != "calls":
            rows: list[dict[str, Any]] = (
                [tide(0, 4.0)] if name == "tides" else [{"ship": "Argo", "length": 9.0}]
            )
            if since is None:
                yield Delivery(frame=frame(name, rows), position={"at": 1}, whole=True, origin=name)
            return
        begin = since["at"] if since else 0
        for place in range(begin, len(self.portions)):
            table = calls(self.portions[place])
            yield Delivery(frame=table, position={"at": place + 1}, whole=self.whole, origin="portion")
            if self.whole:
                return


def calls(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    return frame("calls", [call(key, hour, crew=crew) for key, crew, hour in rows])


def land(workspace: Workspace, product: Product, reader: Portions) -> None:
    Landing(product=product, reader=reader, workspace=workspace, latest=lambda: START + timedelta(99)).land()


def stored(workspace: Workspace) -> dict[str, tuple[int, float]]:
    with workspace.metadata.begin() as transaction:
        last = last_load(transaction, "harbour", "calls")
    assert last is not None
    rows = stored_rows(workspace.tables, last)
    assert rows["call"].is_unique().all()
    hours = (rows["announced_at"] - START).dt.total_hours()
    return dict(zip(rows["call"], zip(rows["crew"], hours, strict=True), strict=True))


def booked(rows: list[tuple[int, int, int]]) -> dict[str, tuple[int, int]]:
    """Of the sound rows of each key, the last."""
    return {f"c{key}": (crew, hour) for key, crew, hour in rows if crew}


@settings(max_examples=25, deadline=None)
@given(DELIVERIES)
def test_a_source_that_delivers_everything_is_stored_as_it_last_was(
    deliveries: list[list[tuple[int, int, int]]],
) -> None:
    workspace = memory_workspace()
    portions = [[*rows, *GROUND] for rows in deliveries]
    for count in range(1, len(portions) + 1):
        land(workspace, WHOLE, Portions(portions[:count], whole=True))
        assert stored(workspace) == booked(portions[count - 1])
    aside = open_rows(workspace.tables, "harbour", source="calls").filter(pl.col("rule") == "crew.minimum")
    held = [json.loads(text) for text in aside["row"]]
    bad = calls([row for row in portions[-1] if not row[1]])
    expected = zip(bad["call"], bad["announced_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), strict=True)
    assert {(row["call"], row["announced_at"]) for row in held} == set(expected)


@settings(max_examples=25, deadline=None)
@given(DELIVERIES, st.data())
def test_increments_give_the_last_row_of_each_key_however_often_the_reading_was_interrupted(
    deliveries: list[list[tuple[int, int, int]]], data: st.DataObject
) -> None:
    workspace = memory_workspace()
    portions = [GROUND, *deliveries]
    read = 0
    while read < len(portions):
        read = data.draw(st.integers(read + 1, len(portions)), label="portions there so far")
        land(workspace, INCREMENTAL, Portions(portions[:read], whole=False))
    book: dict[str, tuple[int, int]] = {}
    for rows in portions:
        book |= booked(rows)
    assert stored(workspace) == book


@settings(max_examples=15, deadline=None)
@given(DELIVERIES)
def test_every_load_can_be_read_again_and_adds_up(deliveries: list[list[tuple[int, int, int]]]) -> None:
    workspace = memory_workspace()
    land(workspace, INCREMENTAL, Portions([GROUND, *deliveries], whole=False))
    with workspace.metadata.begin() as transaction:
        loads = loads_of(transaction, "harbour", "calls")
    heights = [stored_rows(workspace.tables, load).height for load in loads]
    assert heights == [load.rows for load in loads]
    changes = [load.added - load.removed for load in loads]
    assert heights == [sum(changes[: place + 1]) for place in range(len(changes))]

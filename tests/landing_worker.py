"""A process that lands an endless feed, on a workspace of files: SQLite and Delta tables."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl

from seatrial.cycle.tools import SourceHistory
from seatrial.data.ports import Delivery, Position
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.product.schema import Source
from seatrial.settings import read_settings
from seatrial.wiring import open_workspace
from tests.harbour import PRODUCT_FILE, START, call, frame, harbour_product, tide

BATCH, BATCHES, BAD_EVERY = 8, 60, 16


def product() -> Product:
    return harbour_product(
        PRODUCT_FILE.replace(
            "calls: {path: calls.csv}", "calls: {path: calls.csv, incremental: announced_at}"
        )
    )


def calls(since: int, until: int) -> pl.DataFrame:
    """The feed's rows by number; some break the contract."""
    rows = [call(n, n / 10, crew=0 if n % BAD_EVERY == 0 else 5) for n in range(since, until)]
    return frame("calls", rows)


class Feed:
    """Delivers a few calls at a time, for ever new ones; the last one of each batch comes again with the next."""

    def read(
        self, name: str, source: Source, folder: Path | None, *, since: Position | None = None
    ) -> Iterator[Delivery]:
        if name != "calls":
            rows = [tide(0, 4.0)] if name == "tides" else [{"ship": "Argo", "length": 20.0}]
            if since is None:
                yield Delivery(frame=frame(name, rows), position={"all": True}, whole=True, origin=name)
            return
        next_one = since["next"] if since else 0
        while next_one < BATCH * BATCHES:
            rows_now = calls(max(0, next_one - 1), next_one + BATCH)
            next_one += BATCH
            yield Delivery(frame=rows_now, position={"next": next_one}, whole=False, origin="the feed")


def workspace(folder: Path, offset: float = 0) -> Workspace:
    """The workspace, its clock `offset` seconds ahead: the lease of a process killed before then has run out."""
    return open_workspace(read_settings({"workspace": str(folder), "clock_offset": str(offset)}, {}))


def land(folder: Path, offset: float) -> None:
    """Everything that the feed has."""
    stage = workspace(folder, offset)
    SourceHistory(Feed, stage, latest=lambda: START + timedelta(days=999)).land(product())


if __name__ == "__main__":
    land(Path(sys.argv[1]), float(sys.argv[2]))

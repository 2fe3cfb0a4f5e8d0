"""Sources in a dictionary."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from seatrial.data.ports import Delivery, Position
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source


class MemorySources:
    """Gives the frames it was made with; a source without one fails, as an outage would.

    A frame that was replaced in `frames` is delivered whole again. A source with `incremental` delivers the rows
    that were not there at the last reading, which a test adds at the end of the frame. Rows set in `unreadable`
    come with every delivery of their source.
    """

    def __init__(
        self, frames: Mapping[str, pl.DataFrame], unreadable: Mapping[str, pl.DataFrame] | None = None
    ) -> None:
        self.frames = dict(frames)
        self.unreadable = dict(unreadable or {})

    def read(
        self, name: str, source: Source, folder: Path | None, *, since: Position | None = None
    ) -> Iterator[Delivery]:
        if name not in self.frames:
            raise SourceFailed(f"source {name}: not there")
        frame = self.frames[name]
        position = {"rows": frame.height, "digest": _digest(frame)}
        if since is not None and since == position:
            return
        grew = since is not None and source.incremental is not None
        new = frame.slice(since["rows"]) if grew and since is not None else frame
        delivery = Delivery(frame=new, position=position, whole=not grew, origin=f"memory of {name}")
        yield delivery if name not in self.unreadable else _with_unreadable(delivery, self.unreadable[name])


def _digest(frame: pl.DataFrame) -> int:
    return int(frame.hash_rows().sum()) % 2**53 if frame.width else 0


def _with_unreadable(delivery: Delivery, unreadable: pl.DataFrame) -> Delivery:
    return Delivery(
        frame=delivery.frame,
        position=delivery.position,
        whole=delivery.whole,
        origin=delivery.origin,
        unreadable=unreadable,
    )

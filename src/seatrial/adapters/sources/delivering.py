"""Tables as deliveries: a whole table when it is another than before, or what is new of an incremental one."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import polars as pl

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.increments import Edge, Increments
from seatrial.data.ports import Delivery

# Opens the tables of a source: from its beginning, or from a watermark on.
Opening = Callable[[Any], Iterable[pl.DataFrame]]
MayPass = Callable[[Exception], bool]


class Otherwise(Exception):
    """The tables come another way from now on: open them anew, from the last position."""


def delivered(
    asked: Asked, opening: Opening, origin: str, may_pass: MayPass, *, ordered: bool = False
) -> Iterator[Delivery]:
    """What is new in an incremental source, or the whole of another when it is not the same as the last time.

    `ordered` tells that the tables of an incremental source come in the order of its column.
    """
    if asked.source.incremental is None:
        return _whole(asked, opening, origin, may_pass)
    return _increments(asked, opening, origin, may_pass, ordered=ordered)


def _whole(asked: Asked, opening: Opening, origin: str, may_pass: MayPass) -> Iterator[Delivery]:
    with asked.telling(f"cannot read {origin}"):
        parts = asked.retries.call(lambda: _all_tables(opening), may_pass)
    rows = Edge()
    for part in parts:
        rows.add(part)
    position = {"columns": parts[0].columns if parts else [], **rows.as_json()}
    if position == asked.since:
        return
    for part in parts:
        yield Delivery(frame=part, position=position, whole=True, origin=origin)


def _all_tables(opening: Opening) -> list[pl.DataFrame]:
    try:
        return list(opening(None))
    except Otherwise:
        return list(opening(None))


def _increments(
    asked: Asked, opening: Opening, origin: str, may_pass: MayPass, *, ordered: bool
) -> Iterator[Delivery]:
    """What is to be added to what was delivered before; after a failure it goes on from the last position."""
    position, failures = asked.since, 0
    with asked.telling(f"cannot read {origin}"):
        while True:
            new = Increments(str(asked.source.incremental), position, ordered)
            try:
                for table, after in new.of(opening(new.start)):
                    yield Delivery(frame=table, position=after, whole=False, origin=origin)
                    failures = failures if after == position else 0
                    position = after
            except Otherwise:
                continue
            except Exception as error:  # noqa: BLE001 - raised again where it cannot pass
                failures += 1
                asked.retries.pause(failures, error, may_pass)
            else:
                return

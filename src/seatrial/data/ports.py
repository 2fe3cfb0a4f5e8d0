"""What reading data needs from outside."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from seatrial.product.schema import Source

# Where a reading stopped, as plain JSON values; only the reader that wrote it understands it.
Position = Mapping[str, Any]

UNREADABLE_SCHEMA = {
    "line": pl.Int64(),
    "rule": pl.String(),
    "expected": pl.String(),
    "received": pl.String(),
    "row": pl.String(),
}


def _none_unreadable() -> pl.DataFrame:
    return pl.DataFrame(schema=UNREADABLE_SCHEMA)


@dataclass(frozen=True)
class Delivery:
    """Some rows of a source as delivered, before any check.

    `position` is where the next reading goes on after these rows. `whole` tells that this reading delivers the
    whole table again, in this and its other deliveries; else it delivers only what is new. `origin` says, without
    secrets, what was read. `unreadable` holds what could not be read as rows (columns of UNREADABLE_SCHEMA; `row`
    is the raw text as JSON), so that it can be put aside.
    """

    frame: pl.DataFrame
    position: Position
    whole: bool
    origin: str
    unreadable: pl.DataFrame = field(default_factory=_none_unreadable)


class SourceReader(Protocol):
    """Reads sources as they are delivered, before any check."""

    def read(
        self, name: str, source: Source, folder: Path | None, *, since: Position | None = None
    ) -> Iterator[Delivery]:
        """What the source delivers after `since`, or all of it; relative places start at the product's `folder`.

        Nothing new gives no delivery at all. Raises SourceFailed when it cannot be read, naming the source and
        what went wrong, after retries of what may pass; no error or `origin` holds a secret.
        """
        ...

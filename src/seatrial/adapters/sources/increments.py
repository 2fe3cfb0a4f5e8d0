"""What is new in tables of an incremental source, and where the next reading goes on.

The next reading begins *at* the watermark, not after it, for rows with the same value may come later. So it meets
the rows at the watermark again; they are delivered only when they are not the same as before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from seatrial.adapters.sources.watermark import as_json, from_json
from seatrial.data.ports import Position

# So many rows at the watermark are held back to be compared; beyond, they are delivered unseen: a row that is
# delivered twice is skipped when it is landed.
_HELD_ROWS = 500_000
_HASHES = 2**64


@dataclass
class Edge:
    """Rows of one value, in any order, told from others by their number and the sum of their hashes."""

    rows: int = 0
    hashes: int = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Count more rows."""
        self.rows += frame.height
        # Summed as Python's integers: Polars' own sum may overflow without telling.
        self.hashes = (self.hashes + sum(frame.hash_rows().to_list())) % _HASHES

    def as_json(self) -> dict[str, Any]:
        """Number and hash, as plain values."""
        return {"rows": self.rows, "hash": f"{self.hashes:016x}"}


@dataclass
class Increments:
    """Turns the tables of one reading into what is new in them, with the position after each.

    `ordered` tells that the tables come in the order of `column` (rows without a value before the others). Else
    where to go on is known at the end only, and tables before the last keep the old position: a reading that is
    cut short begins again.
    """

    column: str
    since: Position | None
    ordered: bool
    _top: Any = None
    _at_top: Edge = field(default_factory=Edge)
    _without: Edge = field(default_factory=Edge)
    _held: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._top = self.start

    @property
    def start(self) -> Any:
        """The watermark of the reading before; None when this is the first."""
        return None if self.since is None else from_json(self.since.get("watermark"))

    @property
    def top(self) -> Any:
        """The largest value so far."""
        return self._top

    def of(self, tables: Iterable[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, Position]]:
        """The new rows, table by table, and the position after them; a first reading gives at least one table.

        Raises LookupError when a table lacks the column, TypeError when its values have no order.
        """
        if self.ordered:
            for table in self._new(tables):
                yield table, self._position()
            return
        before: pl.DataFrame | None = None
        for table in self._new(tables):
            if before is not None:
                yield before, dict(self.since or {"watermark": None})
            before = table
        if before is not None:
            yield before, self._position()

    def _new(self, tables: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        columns: pl.DataFrame | None = None
        given = False
        for table in tables:
            columns = table.clear()
            at, beyond = self._split(table)
            self._hold(at)
            if beyond.height:
                # In order, what lies beyond may move the position, so what was held back must go first.
                for held in self._released(now=self.ordered):
                    yield held
                self._count(beyond)
                given = True
                yield beyond
        for held in self._released(now=True):
            given = True
            yield held
        if not given and self.since is None and columns is not None:
            yield columns

    def _split(self, table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows at the old watermark or without a value, and the others; in a first reading all are others."""
        if self.column not in table.columns:
            raise LookupError(f"no column {self.column}; there are {', '.join(table.columns)}")
        if self.since is None:
            return table.clear(), table
        values = table[self.column]
        start = pl.Series([self.start]).cast(values.dtype, strict=False)
        at = values.is_null() | (values == start).fill_null(value=False)
        return table.filter(at), table.filter(~at)

    def _hold(self, rows: pl.DataFrame) -> None:
        if rows.height:
            self._count(rows)
            self._held.append(rows)

    def _released(self, *, now: bool) -> Iterator[pl.DataFrame]:
        if not self._held or not (now or sum(one.height for one in self._held) > _HELD_ROWS):
            return
        held, edge = self._held, Edge()
        for part in held:
            edge.add(part)
        self._held = []
        if self.since is None or self.since.get("edge") != edge.as_json():
            yield from held

    def _count(self, rows: pl.DataFrame) -> None:
        values = rows[self.column]
        if values.dtype.is_nested():
            raise TypeError(f"expected a column of numbers, texts or times, received {values.dtype}")
        self._without.add(rows.filter(values.is_null()))
        top = values.max()
        if top is None:
            return
        if self._top is None or top > self._top:
            as_json(top)
            self._top, self._at_top = top, Edge()
        if top == self._top:
            self._at_top.add(rows.filter(values == values.max()))

    def _position(self) -> Position:
        edge = Edge(
            rows=self._at_top.rows + self._without.rows,
            hashes=(self._at_top.hashes + self._without.hashes) % _HASHES,
        )
        return {"watermark": as_json(self._top), "edge": edge.as_json()}

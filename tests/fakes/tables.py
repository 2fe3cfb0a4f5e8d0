"""Tables in a dictionary."""

from collections.abc import Callable, Sequence

import polars as pl

from seatrial.adapters.tables.dtypes import check_storable
from seatrial.errors import Conflict, DataRefused


class MemoryTables:
    """Frames by table, as strict about types as the real ones; rows come back newest commit first."""

    def __init__(self) -> None:
        self.frames: dict[str, pl.DataFrame] = {}
        self.versions: dict[tuple[str, str], int] = {}

    def append(self, table: str, frame: pl.DataFrame, *, writer: str, version: int) -> bool:
        if version <= self.versions.get((table, writer), -1):
            return False
        existing = self.frames.get(table)
        check_storable(table, frame, {} if existing is None else existing.schema)
        self.versions[table, writer] = version
        self.frames[table] = frame if existing is None else _newest_first(existing, frame)
        return True

    def version(self, table: str, writer: str) -> int | None:
        return self.versions.get((table, writer))

    def read(
        self, table: str, *, where: pl.Expr | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        if table not in self.frames:
            return pl.DataFrame()
        frame = self.frames[table]
        frame = frame if where is None else frame.filter(where)
        return frame if columns is None else frame.select(columns)

    def rows(self, table: str) -> int:
        return self.frames[table].height if table in self.frames else 0

    def names(self, prefix: str = "") -> list[str]:
        return sorted(name for name in self.frames if name.startswith(prefix))

    def rewrite(self, table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        if table not in self.frames:
            return
        left = change(self.frames[table])
        if left.schema != self.frames[table].schema:
            raise DataRefused(f"table {table}: rewriting it changed its columns")
        if not change(left).equals(left):
            raise Conflict(f"table {table}: what changes it never ends changing it")
        self.frames[table] = left


def _newest_first(existing: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The port promises no order, as Delta keeps none: a stage that needs one must sort."""
    joined = pl.concat([new, existing], how="diagonal")
    return joined.select([*existing.columns, *(name for name in new.columns if name not in existing.columns)])

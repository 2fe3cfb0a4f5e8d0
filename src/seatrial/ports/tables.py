"""Versioned tables: append with exactly-once commits, read back."""

from collections.abc import Callable, Sequence
from typing import Protocol

import polars as pl


class Tables(Protocol):
    """Append-only tables of the schemas in `facts.tables`, plus a product's own columns.

    A commit is named by its writer and a version that rises per writer; repeating one is a no-op, so a
    writer that crashed can simply repeat its last commit. New columns are added with nulls for old rows.
    """

    def append(self, table: str, frame: pl.DataFrame, *, writer: str, version: int) -> bool:
        """Commit the rows; False when this writer's version (or a later one) is there already."""
        ...

    def version(self, table: str, writer: str) -> int | None:
        """The last version this writer committed to the table, or None."""
        ...

    def read(
        self, table: str, *, where: pl.Expr | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Rows that satisfy `where`; an empty frame without columns when the table does not exist yet."""
        ...

    def rows(self, table: str) -> int:
        """The number of rows; 0 when the table does not exist yet."""
        ...

    def names(self, prefix: str = "") -> list[str]:
        """The names of all tables that begin with `prefix`, sorted."""
        ...

    def rewrite(self, table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Replace every row of the table by what `change` makes of them, for good.

        `change` keeps columns and order, and is asked again until it changes nothing, as others may add rows. No
        older state and no file keeps what was there; the committed versions of writers stay. A no-op when the table
        does not exist. For erasure alone.
        """
        ...

"""What changed between two prepared tables of one lookup, and a table with such changes applied."""

from collections.abc import Sequence

import polars as pl

from seatrial.product.lookups import KNOWN

CHANGE = "__change"
PUT, REMOVED = 1, -1


def row_key(frame: pl.DataFrame, on: Sequence[str]) -> list[str]:
    """The columns that identify a row of a prepared table: its key, and from when it is known if it has a time."""
    return [*on, *(name for name in (KNOWN,) if name in frame.columns)]


def changes(old: pl.DataFrame, new: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    """The rows of `new` that `old` lacks or has otherwise, as PUT, then the ones that are gone, as REMOVED.

    Columns are those of the table and CHANGE. Both tables must have the same columns.
    """
    keys = row_key(new, on)
    put = new.join(old, on=new.columns, how="anti", nulls_equal=True, maintain_order="left")
    gone = old.join(new, on=keys, how="anti", maintain_order="left")
    return pl.concat(
        [put.with_columns(_change(PUT)), gone.select(new.columns).with_columns(_change(REMOVED))]
    )


def applied(table: pl.DataFrame, changed: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    """The prepared table after the changes of `changes`, sorted again."""
    keys = row_key(table, on)
    kept = table.join(changed, on=keys, how="anti", maintain_order="left")
    put = changed.filter(pl.col(CHANGE) == PUT).select(table.columns)
    return pl.concat([kept, put]).sort(keys)


def _change(kind: int) -> pl.Expr:
    return pl.lit(kind, pl.Int8).alias(CHANGE)

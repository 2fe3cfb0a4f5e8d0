"""Tables that keep their changes: any earlier state can be read again, and nothing is updated in place.

A load appends the rows that are new and, once more, those that are gone. Time travel is thus a filter, and
erasing a row for good leaves every other state as it was.
"""

import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.facts.tables import CHANGES

LOAD, CHANGE, POSITION = (column.name for column in CHANGES)
CHANGE_SCHEMA = polars_schema(CHANGES)
_KEY = ["__first", "__second", "__copy"]


def state(stored: pl.DataFrame, at: int | None = None) -> pl.DataFrame:
    """The rows after load `at` (None: the last one) in the order of their loads, without the columns of changes."""
    rows = standing(stored, at)
    return rows.drop(LOAD, CHANGE, POSITION, strict=False)


def standing(stored: pl.DataFrame, at: int | None = None) -> pl.DataFrame:
    """The same rows with the columns that tell which load added them."""
    if stored.is_empty():
        return stored
    by_then = stored if at is None else stored.filter(pl.col(LOAD) <= at)
    added = by_then.filter(pl.col(CHANGE) > 0).sort(LOAD, POSITION, maintain_order=True)
    removed = by_then.filter(pl.col(CHANGE) < 0)
    return added if removed.is_empty() else _without(added, removed)


def difference(old: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What must be added to `old` and what removed from it to have the rows of `new`, as often as they are there.

    The columns are those of `new`; `old` must have them, in the same types.
    """
    if old.is_empty():
        return new, new.clear()
    old = old.select(new.columns)
    named_old, named_new = _named(old), _named(new)
    return _unmatched(new, named_new, named_old), _unmatched(old, named_old, named_new)


def applied(old: pl.DataFrame, added: pl.DataFrame, removed: pl.DataFrame) -> pl.DataFrame:
    """`old` after the changes, in the order in which `state` will give it."""
    if old.is_empty():
        return added
    kept = old.select(added.columns)
    return pl.concat([kept if removed.is_empty() else _without(kept, removed), added])


def as_changes(added: pl.DataFrame, removed: pl.DataFrame, load: int) -> pl.DataFrame:
    """The rows to append for a load: `added` with their places, and `removed`."""
    return pl.concat([_marked(added, load, 1), _marked(removed, load, -1)])


def _marked(rows: pl.DataFrame, load: int, change: int) -> pl.DataFrame:
    marks = (pl.lit(load), pl.lit(change), pl.int_range(pl.len()))
    return rows.with_columns(
        mark.cast(dtype).alias(name) for mark, (name, dtype) in zip(marks, CHANGE_SCHEMA.items(), strict=True)
    )


def _without(rows: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """`rows` in their order, less one copy, the earliest, for each equal row of `gone`."""
    return _unmatched(rows, _named(rows), _named(gone))


def _unmatched(rows: pl.DataFrame, named: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    kept = named.join(others, on=_KEY, how="anti", maintain_order="left")
    return rows[kept["__row"]]


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Two hashes of each row's contents, and the number of the copy.

    128 bits, so that unequal rows never meet. They live no longer than this process: Polars' hashes differ
    between its versions.
    """
    values = rows.drop(LOAD, CHANGE, POSITION, strict=False)
    hashes = pl.DataFrame({"__first": values.hash_rows(1), "__second": values.hash_rows(2)})
    # Counting copies costs ten times what finding out that there are none does.
    alone = hashes.n_unique() == hashes.height
    copies = pl.lit(0, pl.Int64) if alone else pl.int_range(pl.len()).over("__first", "__second")
    return hashes.with_columns(copies.alias("__copy")).with_row_index("__row")

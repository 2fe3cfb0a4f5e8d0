"""Which rows are older than they may be kept."""

from datetime import datetime, timedelta

import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.data.changes import CHANGE, LOAD
from seatrial.product.product import Product


def kept_from(product: Product, now: datetime) -> datetime | None:
    """The moment before which rows are not kept; None when they are kept for ever."""
    seconds = product.file.governance.retention
    return None if seconds is None else now - timedelta(seconds=seconds)


def outdated(
    product: Product, source: str, rows: pl.DataFrame, since: datetime, stands: pl.Series | None = None
) -> pl.Series:
    """Which rows of a source tell of a time before `since`; none of a source without times.

    Of a lookup's rows the last one before `since` of each key is kept: it still stands for decisions after that.
    `stands` tells which rows do at all; by default every one.
    """
    if source == product.file.examples.source:
        return _before(rows, product.made_at, since)
    timed = [
        (lookup.as_of, lookup.on)
        for name, lookup in product.file.examples.lookups.items()
        if product.lookup_source(name) == source and lookup.as_of in rows.columns
    ]
    standing = ~_none(rows.height) if stands is None else stands
    hits = [_replaced_before(rows, str(column), on, since, standing) for column, on in timed]
    return _all(hits, rows.height)


def in_time(product: Product, source: str, rows: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, int]:
    """The rows that may be kept, in order, and how many others there were: what is delivered again is not stored.

    `rows` are those that kept their contract, in its types: times that are still text tell nothing.
    """
    since = kept_from(product, now)
    if since is None or rows.is_empty():
        return rows, 0
    old = outdated(product, source, rows, since)
    return (rows.filter(~old), int(old.sum())) if old.any() else (rows, 0)


def delivered_in_time(
    product: Product, source: str, frame: pl.DataFrame, now: datetime
) -> tuple[pl.DataFrame, int]:
    """Rows as a source delivers them, less those whose decision is too old to be stored or put aside.

    Only rows of the examples' source tell that by themselves; of lookups `in_time` asks the rows that were kept.
    """
    since = kept_from(product, now)
    column = product.request.column(product.made_at)
    if since is None or source != product.file.examples.source or column is None:
        return frame, 0
    if column.name not in frame.columns:
        return frame, 0
    cast = cast_column(column.name, column.type, frame.schema[column.name])
    if isinstance(cast, str):
        return frame, 0
    old = _before(frame.select(cast.value.alias(column.name)), column.name, since)
    return (frame.filter(~old), int(old.sum())) if old.any() else (frame, 0)


def removed(stored: pl.DataFrame, loads: set[int]) -> pl.Series:
    """Which stored changes are of rows that one of these loads removed: their adding, and their removal."""
    values = [name for name in stored.columns if not name.startswith("__")]
    numbered = stored.with_row_index("__row").sort(LOAD)
    copy = pl.col(CHANGE).cum_count().over([*values, CHANGE]).alias("__copy")
    numbered = numbered.with_columns(copy)
    gone = numbered.filter((pl.col(CHANGE) < 0) & pl.col(LOAD).is_in(loads)).select(*values, "__copy")
    pairs = numbered.join(
        gone.with_columns(__gone=True), on=[*values, "__copy"], how="left", nulls_equal=True
    )
    return pairs.sort("__row")["__gone"].fill_null(False).alias("gone")


def _before(rows: pl.DataFrame, column: str, since: datetime) -> pl.Series:
    if not _is_time(rows.schema.get(column)):
        return _none(rows.height)
    return rows.select((_moment(rows, column) < since).fill_null(False).alias("old"))["old"]


def _replaced_before(
    rows: pl.DataFrame, column: str, on: tuple[str, ...], since: datetime, stands: pl.Series
) -> pl.Series:
    if not _is_time(rows.schema.get(column)) or not {*on} <= {*rows.columns}:
        return _none(rows.height)
    told = _moment(rows, column)
    early = pl.when(told < since).then(told)
    last = pl.when("__stands").then(early).max().over(on)
    marked = rows.with_columns(stands.alias("__stands"))
    return marked.select((early < last).fill_null(False).alias("old"))["old"]


def _is_time(dtype: pl.DataType | None) -> bool:
    return isinstance(dtype, pl.Datetime | pl.Date)


def _moment(rows: pl.DataFrame, column: str) -> pl.Expr:
    """The moments of a column; a day is its first one."""
    if rows.schema[column] == pl.Date:
        return pl.col(column).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.col(column)


def _all(hits: list[pl.Series], height: int) -> pl.Series:
    """Where every lookup of the source agrees that the row is of no use any more."""
    if not hits:
        return _none(height)
    first, *others = hits
    for hit in others:
        first = first & hit
    return first


def _none(height: int) -> pl.Series:
    return pl.Series("old", [False]).new_from_index(0, height)

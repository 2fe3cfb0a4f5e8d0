"""Tables from databases in the types that contracts know, whichever driver read them."""

import polars as pl
import polars.selectors as cs


def plain_types(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with 64-bit numbers, exact decimals as floats, and times in microseconds, those with a zone in UTC."""
    stored = frame.select(_storage(column) for column in frame.iter_columns())
    zoned = [name for name, kind in stored.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    return stored.with_columns(
        cs.integer().cast(pl.Int64),
        (cs.float() | cs.decimal()).cast(pl.Float64),
        cs.datetime(time_zone=None).dt.cast_time_unit("us"),
        *(pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us") for name in zoned),
    )


def _storage(column: pl.Series) -> pl.Series:
    if not isinstance(column.dtype, pl.BaseExtension):
        return column
    stored = column.ext.storage()
    # PostgreSQL's exact numbers come as texts.
    return stored.cast(pl.Float64) if '"numeric"' in str(column.dtype) else stored

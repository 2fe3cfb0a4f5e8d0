"""Tables from databases in the types that contracts know, whichever driver read them: no number comes out altered."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import polars.selectors as cs

from seatrial.adapters.sources.broken import Unreadable

# Doubles hold every whole number up to here, and not every one beyond.
EXACT = 2**53
# Whole numbers that may lie beyond, as a database writes them.
_LONG = r"^-?\d{16,}(\.0*)?$"


def plain_types(frame: pl.DataFrame, scales: Mapping[str, int] | None = None) -> pl.DataFrame:
    """The frame with 64-bit numbers, and times in microseconds, those with a zone in UTC.

    Exact decimals (PostgreSQL's come as texts) are whole numbers where their scale, by column, is 0, else floats.
    Raises Unreadable when that would alter a whole number.
    """
    stored = frame.select(
        exact_numbers(column.ext.storage(), (scales or {}).get(column.name))
        if is_exact(column.dtype)
        else column.ext.storage()
        if isinstance(column.dtype, pl.BaseExtension)
        else _within_64_bits(column)
        for column in frame.iter_columns()
    )
    zoned = [name for name, kind in stored.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    return stored.with_columns(
        cs.float().cast(pl.Float64),
        cs.datetime(time_zone=None).dt.cast_time_unit("us"),
        *(pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us") for name in zoned),
    )


def is_exact(dtype: pl.DataType) -> bool:
    """Whether a column holds PostgreSQL's exact numbers, as texts."""
    return isinstance(dtype, pl.BaseExtension) and '"numeric"' in str(dtype)


def exact_numbers(texts: pl.Series, scale: int | None) -> pl.Series:
    """Texts of exact numbers as whole numbers where `scale` is 0, else as floats; "nan" is missing among the former.

    Raises Unreadable when a whole number does not fit into 64 bits, or would be altered as a float.
    """
    if scale is not None and scale <= 0:
        present = pl.select(pl.when(texts.str.to_lowercase() != "nan").then(texts)).to_series()
        return _fitting(present.rename(texts.name))
    for text in texts.filter(texts.str.contains(_LONG)).unique():
        _refuse_altered(texts.name, int(text.partition(".")[0]))
    return texts.cast(pl.Float64)


def refuse_altered(series: pl.Series, values: Sequence[Any]) -> None:
    """Raises Unreadable when `series`, floats made of `values`, does not hold a whole number among them."""
    if series.dtype.is_float():
        for value in values:
            if isinstance(value, int) and abs(value) > EXACT:
                _refuse_altered(series.name, value)


def _refuse_altered(name: str, number: int) -> None:
    if int(float(number)) != number:
        raise Unreadable(
            f"column {name} holds whole numbers beyond 2^53 beside fractions, or without a scale, and floats would "
            "alter them; cast it in the query, to bigint or text for keys, to double precision for amounts"
        )


def _within_64_bits(column: pl.Series) -> pl.Series:
    if column.dtype.is_decimal():
        return exact_numbers(column.cast(pl.String), column.dtype.scale)  # type: ignore[attr-defined]  # of decimals
    return _fitting(column) if column.dtype.is_integer() else column


def _fitting(column: pl.Series) -> pl.Series:
    whole = column.cast(pl.Int64, strict=False)
    if whole.null_count() != column.null_count():
        raise Unreadable(
            f"column {column.name} holds whole numbers beyond 64 bits; cast it to text in the query"
        )
    return whole

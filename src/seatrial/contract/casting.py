"""Stored columns read as contract types: the value per row, and which values could not be read."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from seatrial.contract.canonical import canonical_column
from seatrial.contract.model import TypeName
from seatrial.contract.types import POLARS, TIMESTAMP

# RFC 3339 with seconds and a zone; Polars alone would also take blanks and leap seconds, requests would not.
MOMENT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:[0-5]\d(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})$"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME_OF_DAY = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
# Python's calendar, which rows of requests and the quarantine pass through.
FIRST_YEAR, LAST_YEAR = 1, 9999
_MIDNIGHT_UTC = "UTC"
_BEYOND_INT64 = (pl.UInt64, pl.Int128, pl.UInt128)


@dataclass(frozen=True)
class Cast:
    """`value`: the column in its contract type, null where missing or unreadable; `broken`: true where unreadable.

    `broken` is None where the stored type leaves no room for an unreadable value.
    """

    value: pl.Expr
    broken: pl.Expr | None = None


def cast_column(stored: str, type_name: TypeName, dtype: Any) -> Cast | str:
    """How to read the column `stored` of type `dtype` as a contract type; a reason, in words, when it cannot be."""
    column = pl.col(stored)
    if dtype == pl.Null:
        return Cast(column.cast(POLARS[type_name]))
    cast = _READERS[type_name](column, dtype)
    return cast or f"expected {type_name}, the table holds {dtype}{_advice(type_name, dtype)}"


def _advice(type_name: TypeName, dtype: Any) -> str:
    if type_name == "timestamp" and isinstance(dtype, pl.Datetime):
        return " without a time zone; say which one it is as `timezone` of the source, such as UTC or Europe/Lisbon"
    return ""


def _string(column: pl.Expr, dtype: Any) -> Cast | None:
    if dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_integer() or dtype.is_decimal():
        return Cast(column.cast(pl.String))
    return None


def _float(column: pl.Expr, dtype: Any) -> Cast | None:
    if dtype.is_integer() or dtype.is_decimal():
        return Cast(column.cast(pl.Float64))
    if dtype.is_float():
        number = column.cast(pl.Float64).fill_nan(None)
        return Cast(pl.when(number.is_finite()).then(number), number.is_infinite())
    if dtype == pl.String:
        number = column.str.strip_chars().cast(pl.Float64, strict=False)
        # The text "nan" is missing, as the number is; "inf" is no more a measurement than "wet".
        unreadable = number.is_infinite() | (number.is_null() & column.is_not_null())
        return Cast(pl.when(number.is_finite()).then(number), unreadable)
    return None


def _int(column: pl.Expr, dtype: Any) -> Cast | None:
    if dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return Cast(whole, whole.is_null() & column.is_not_null() if dtype in _BEYOND_INT64 else None)
    if dtype.is_decimal():
        # Not by way of a double, which alters whole numbers beyond 2^53: keys of different rows would become one.
        whole = pl.when(column % 1 == 0).then(column).cast(pl.Int64, strict=False)
        return Cast(whole, whole.is_null() & column.is_not_null())
    if dtype.is_float():
        number = column.cast(pl.Float64).fill_nan(None)
        whole = pl.when(number.round() == number).then(number).cast(pl.Int64, strict=False)
        return Cast(whole, whole.is_null() & number.is_not_null())
    if dtype == pl.String:
        whole = column.str.strip_chars().cast(pl.Int64, strict=False)
        return Cast(whole, whole.is_null() & column.is_not_null())
    return None


def _bool(column: pl.Expr, dtype: Any) -> Cast | None:
    if dtype == pl.Boolean:
        return Cast(column)
    if dtype.is_integer() or dtype.is_float():
        number = column.fill_nan(None) if dtype.is_float() else column
        return Cast(
            pl.when(number.is_in([0, 1])).then(number == 1), ~number.is_in([0, 1]) & number.is_not_null()
        )
    if dtype == pl.String:
        word = column.str.strip_chars().str.to_lowercase()
        return Cast(
            pl.when(word.is_in(["true", "false"])).then(word == "true"),
            ~word.is_in(["true", "false"]) & column.is_not_null(),
        )
    return None


def _timestamp(column: pl.Expr, dtype: Any) -> Cast | None:
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return _in_calendar(column.dt.convert_time_zone("UTC").cast(TIMESTAMP), column)
    if dtype == pl.Date:
        return _in_calendar(column.cast(pl.Datetime("us")).dt.replace_time_zone(_MIDNIGHT_UTC), column)
    if dtype == pl.String:
        well_formed = pl.when(column.str.contains(MOMENT)).then(column)
        moment = well_formed.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
        # Requests are rounded to the microsecond; Polars cuts off.
        up = well_formed.str.contains(r"\.[0-9]{6}[5-9]").cast(pl.Int64)
        moment += pl.duration(microseconds=up)
        return _in_calendar(moment, column)
    return None


def _in_calendar(moment: pl.Expr, column: pl.Expr) -> Cast:
    known = pl.when(moment.dt.year().is_between(FIRST_YEAR, LAST_YEAR)).then(moment)
    return Cast(known, known.is_null() & column.is_not_null())


def _date(column: pl.Expr, dtype: Any) -> Cast | None:
    if dtype == pl.Date:
        return _in_calendar(column, column)
    if isinstance(dtype, pl.Datetime):
        # Other tools have no dates without a time; midnight is one, any other time of day is not.
        midnight = pl.when(column.dt.time() == pl.time(0, 0, 0)).then(column.dt.date())
        return _in_calendar(midnight, column)
    if dtype == pl.String:
        well_formed = pl.when(column.str.contains(rf"\A{DAY}\z")).then(column)
        return _in_calendar(well_formed.str.to_date("%Y-%m-%d", strict=False), column)
    return None


def _time(column: pl.Expr, dtype: Any) -> Cast | None:
    if dtype == pl.Time:
        return Cast(_time_text(column))
    if dtype == pl.String:
        well_formed = pl.when(column.str.contains(rf"\A(?:{TIME_OF_DAY})\z")).then(column)
        text = _time_text(well_formed.str.to_time("%H:%M:%S%.f", strict=False))
        return Cast(text, text.is_null() & column.is_not_null())
    return None


def _time_text(time: pl.Expr) -> pl.Expr:
    """As in 12:30:00, with six digits after a point where there is a fraction of a second."""
    return time.dt.to_string("%H:%M:%S%.6f").str.strip_suffix(".000000")


def _array(column: pl.Expr, dtype: Any) -> Cast | None:
    return _json(column, list) if dtype == pl.String or isinstance(dtype, pl.List | pl.Array) else None


def _object(column: pl.Expr, dtype: Any) -> Cast | None:
    return _json(column, dict) if dtype == pl.String or isinstance(dtype, pl.Struct) else None


def _json(column: pl.Expr, kind: type) -> Cast:
    text = column.map_batches(canonical_column(kind), return_dtype=pl.String, is_elementwise=True)
    return Cast(text, text.is_null() & column.is_not_null())


_READERS = {
    "string": _string,
    "float": _float,
    "int": _int,
    "bool": _bool,
    "timestamp": _timestamp,
    "date": _date,
    "time": _time,
    "array": _array,
    "object": _object,
}

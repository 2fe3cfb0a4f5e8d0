"""Stored columns read as contract types: the value per row, and which values could not be read."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from seatrial.contract.model import TypeName
from seatrial.contract.types import TIMESTAMP

# RFC 3339 with seconds and a zone; Polars alone would also take blanks and leap seconds, requests would not.
MOMENT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:[0-5]\d(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})$"
_MIDNIGHT_UTC = "UTC"


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
        return Cast(column.cast(_TARGETS[type_name]))
    cast = _READERS[type_name](column, dtype)
    return cast or f"expected {type_name}, the table holds {dtype}{_advice(type_name, dtype)}"


def _advice(type_name: TypeName, dtype: Any) -> str:
    if type_name == "timestamp" and isinstance(dtype, pl.Datetime):
        return " without a time zone; say which one it is, for example .dt.replace_time_zone('UTC')"
    return ""


def _string(column: pl.Expr, dtype: Any) -> Cast | None:
    if dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_integer():
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
        return Cast(whole, whole.is_null() & column.is_not_null() if dtype == pl.UInt64 else None)
    if dtype.is_float() or dtype.is_decimal():
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
        return Cast(column.dt.convert_time_zone("UTC").cast(TIMESTAMP))
    if dtype == pl.Date:
        return Cast(column.cast(pl.Datetime("us")).dt.replace_time_zone(_MIDNIGHT_UTC))
    if dtype == pl.String:
        well_formed = pl.when(column.str.contains(MOMENT)).then(column)
        moment = well_formed.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
        return Cast(moment, moment.is_null() & column.is_not_null())
    return None


_READERS = {"string": _string, "float": _float, "int": _int, "bool": _bool, "timestamp": _timestamp}
_TARGETS: dict[TypeName, Any] = {
    "string": pl.String,
    "float": pl.Float64,
    "int": pl.Int64,
    "bool": pl.Boolean,
    "timestamp": TIMESTAMP,
}

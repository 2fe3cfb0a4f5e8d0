"""Values made to fit the columns in which they are stored: as they are, converted without loss, or missing."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from seatrial.contract.types import TIMESTAMP

_NATURAL: dict[Any, frozenset[type]] = {
    pl.String(): frozenset({str}),
    pl.Float64(): frozenset({float, int}),
    pl.Int64(): frozenset({int}),
    pl.Boolean(): frozenset({bool}),
    pl.Date(): frozenset({date}),
    TIMESTAMP: frozenset({datetime}),
}
_WORDS = {"true": True, "false": False}


def fitted(name: str, values: Sequence[Any], dtype: Any) -> tuple[pl.Series, int]:
    """The values as a column of a contract type, and how many of them were there and could not be converted.

    Nothing is rounded: 2.0 becomes 2 in a column of integers, 2.5 is missing there.
    """
    kinds = set(map(type, values)) - {type(None)}
    is_plain = dtype not in _NATURAL or kinds <= _NATURAL[dtype]
    plain = values if is_plain else [_converted(value, dtype) for value in values]
    column = pl.Series(name, plain, dtype=dtype, strict=False)
    return column, column.null_count() - values.count(None)


def in_columns(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    """The columns of `schema` in its types: others are left out, missing ones are null, changed ones converted."""
    found = [
        _in_type(frame[name], dtype) if name in frame.columns else _missing(name, frame.height, dtype)
        for name, dtype in schema.items()
    ]
    return pl.DataFrame(found)


def wider(one: Any, other: Any) -> Any:
    """The contract type in which values of both types fit without loss."""
    if one == other:
        return one
    return pl.Float64() if {one, other} == {pl.Int64(), pl.Float64()} else pl.String()


def _in_type(column: pl.Series, dtype: Any) -> pl.Series:
    if column.dtype == dtype or dtype not in _NATURAL:
        return column.cast(dtype)
    return fitted(column.name, column.to_list(), dtype)[0]


def _missing(name: str, rows: int, dtype: Any) -> pl.Series:
    return pl.Series(name, [None] * rows, dtype=dtype)


def _converted(value: Any, dtype: Any) -> Any:
    return None if value is None else _CONVERSIONS[dtype](value)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_number(value: Any) -> float | None:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _as_whole(value: Any) -> int | None:
    if isinstance(value, int):
        return int(value)
    number = _as_number(value)
    return int(number) if number is not None and number.is_integer() else None


def _as_truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return _WORDS.get(value.lower())
    return bool(value) if value in (0, 1) else None


def _as_day(value: Any) -> date | None:
    """The day of a date, of its text, or of a midnight in UTC; any other time of day is more than a day says."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    moment = _as_moment(value)
    return moment.date() if moment is not None and moment.time() == time() else None


def _as_moment(value: Any) -> datetime | None:
    """The moment in UTC; a bare date counts as its midnight."""
    if not isinstance(value, str | date):
        return None
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_CONVERSIONS: dict[Any, Callable[[Any], Any]] = {
    pl.String(): _as_text,
    pl.Float64(): _as_number,
    pl.Int64(): _as_whole,
    pl.Boolean(): _as_truth,
    pl.Date(): _as_day,
    TIMESTAMP: _as_moment,
}

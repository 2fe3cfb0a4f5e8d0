"""Moments and days as whole numbers: microseconds and days since 1970."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date

from seatrial.contract.plain.parts import WHOLE, Code, Names, needs, null_of

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = date(1970, 1, 1).toordinal()
_UNITS = {"us": 1, "ms": 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": DAY, "w": 7 * DAY}
_OFFSET = re.compile(r"(-?)((?:[0-9]+[a-z]+)+)")
_PARTS = re.compile(r"([0-9]+)([a-z]+)")
_NANOSECONDS = 1000
_MONTHS = re.compile(r"(-?[0-9]{1,5})mo")
_MOMENTS = ("moment", "wall")
KINDS = (*_MOMENTS, "Date")
_TIMES = {
    "Hour": ("Int8", f"({{}} // {3600 * SECOND} % 24)"),
    "Minute": ("Int8", f"({{}} // {60 * SECOND} % 60)"),
    "Second": ("Int8", f"({{}} // {SECOND} % 60)"),
    "Nanosecond": ("Int32", f"({{}} % {SECOND} * {_NANOSECONDS})"),
}
CALENDAR: dict[str, tuple[str, Callable[[date], int]]] = {
    "Day": ("Int8", lambda day: day.day),
    "Month": ("Int8", lambda day: day.month),
    "Year": ("Int32", lambda day: day.year),
    "Quarter": ("Int8", lambda day: (day.month + 2) // 3),
    "OrdinalDay": ("Int16", lambda day: day.timetuple().tm_yday),
    "Week": ("Int8", lambda day: day.isocalendar().week),
    "IsoYear": ("Int32", lambda day: day.isocalendar().year),
}


def day_of(days: int) -> date:
    """The day that is so many days after 1970-01-01. Raises ValueError or OverflowError outside the calendar."""
    return date.fromordinal(_EPOCH + days)


def time_part(part: str, code: Code, names: Names) -> Code:
    """A part of a moment or day, as EXTRACT gives it."""
    if part in _TIMES:
        needs(code.kind in _MOMENTS)
        kind, source = _TIMES[part]
        return Code(kind, source.format(code.value), code.null)
    days = _days(code)
    if part == "WeekDay":
        return Code("Int8", f"(({days} + 3) % 7 + 1)", code.null)
    needs(part in CALENDAR)
    kind, function = CALENDAR[part]
    return Code(kind, f"{names.constant(function)}(day_of({days}))", code.null)


def _days(code: Code) -> str:
    needs(code.kind in KINDS)
    return code.value if code.kind == "Date" else f"({code.value} // {DAY})"


def nanoseconds(code: Code, names: Names) -> Code:
    """Nanoseconds since 1970."""
    needs(code.kind in _MOMENTS)
    return _within(Code("Int64", f"{code.value} * {_NANOSECONDS}", code.null), names)


def later(code: Code, offset: str, names: Names) -> Code:
    """The moment or day after an offset, such as 172800s, -1d or 3mo."""
    if months := _MONTHS.fullmatch(offset):
        needs(code.kind in KINDS)
        return _months_on(code, int(months[1]), names)
    length = _length(offset)
    if code.kind == "Date":
        needs(length % DAY == 0)
        return Code("Date", f"({code.value} + {names.constant(length // DAY)})", code.null)
    needs(code.kind in _MOMENTS)
    return _within(Code(code.kind, f"{code.value} + {names.constant(length)}", code.null), names)


def _months_on(code: Code, months: int, names: Names) -> Code:
    count = names.constant(months)
    if code.kind == "Date":
        return Code("Date", f"months_on({code.value}, {count})", code.null)
    first, again = names.twice(code.value)
    return Code(code.kind, f"(months_on({first} // {DAY}, {count}) * {DAY} + {again} % {DAY})", code.null)


def months_on(days: int, months: int) -> int:
    """The same day of a later month, or its last. Raises ValueError or OverflowError outside the calendar."""
    day = day_of(days)
    years, month = divmod(day.month - 1 + months, 12)
    last = monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last)).toordinal() - _EPOCH


def _length(offset: str) -> int:
    found = _OFFSET.fullmatch(offset)
    parts = _PARTS.findall(found[2]) if found else []
    needs(bool(parts) and all(unit in _UNITS for _, unit in parts))
    return sum(int(number) * _UNITS[unit] for number, unit in parts) * (-1 if offset[0] == "-" else 1)


def _within(code: Code, names: Names) -> Code:
    name = names.kept()
    low, high = (names.constant(bound) for bound in WHOLE["Int64"])
    return Code(
        code.kind, f"({name} if {low} <= ({name} := {code.value}) <= {high} else overflown())", code.null
    )


def as_moment(code: Code, kind: str) -> Code:
    """A day as its midnight; a moment with its zone, UTC, added or taken away."""
    needs(code.kind in KINDS)
    value = f"({code.value} * {DAY})" if code.kind == "Date" else code.value
    return Code(kind, value, code.null)


def as_day(code: Code) -> Code:
    """The day of a moment in UTC."""
    return Code("Date", _days(code), code.null)


def compared_times(operator: str, left: Code, right: Code) -> Code:
    """Whether one time stands in a relation to another; a day counts as its midnight."""
    kinds = {left.kind, right.kind}
    if len(kinds) > 1:
        needs(kinds in ({"moment", "Date"}, {"wall", "Date"}))
        left, right = as_moment(left, "moment"), as_moment(right, "moment")
    return Code("Boolean", f"({left.value} {operator} {right.value})", null_of([left, right]))

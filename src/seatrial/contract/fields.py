"""The columns of a contract as fields of a request: what type decodes them, and what is done to what came out.

A field accepts exactly what a table's check would keep, of the values that JSON can say. What comes out are physical
values, as Polars stores them: timestamps are whole microseconds since 1970 in UTC, dates whole days since 1970.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Optional

import msgspec

from seatrial.contract.canonical import json_text
from seatrial.contract.casting import TIME_OF_DAY
from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract
from seatrial.contract.rules import is_multiple
from seatrial.contract.sanity import full_match, whole_bounds

Step = Callable[[Any], Any]
_LARGEST = 1.7976931348623157e308
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_CALENDAR = ((1 - _EPOCH_DAY) * _DAY, (date.max.toordinal() + 1 - _EPOCH_DAY) * _DAY)


class Unfit(ValueError):
    """A value that its type decodes and a rule refuses."""


def field_type(column: ColumnContract) -> Any:
    """The type that msgspec decodes the column's values with."""
    kind = _TYPES[column.type](column if column.severity == "error" else _unruled(column))
    return kind if column.required else Optional[kind]  # noqa: UP045 - the type is made when this runs


def field_steps(column: ColumnContract) -> tuple[Step, ...]:
    """What each decoded value goes through, in order, to become physical; a step gives a value or raises Unfit."""
    return tuple(_steps(column if column.severity == "error" else _unruled(column)))


def logical(column: ColumnContract) -> Step | None:
    """From the column's physical values to Python's own: aware datetimes in UTC, dates; None where they are that."""
    return _LOGICAL.get(column.type)


def _unruled(column: ColumnContract) -> ColumnContract:
    """The column without the rules that its severity governs."""
    return ColumnContract(name=column.name, type=column.type, required=column.required)


def _string(column: ColumnContract) -> Any:
    if column.values is not None:
        return Literal[column.values]
    patterns = _patterns(column)
    pattern = full_match(patterns[0]) if patterns else None
    meta = msgspec.Meta(pattern=pattern, min_length=column.min_length, max_length=column.max_length)
    return Annotated[str, meta]


def _patterns(column: ColumnContract) -> list[str]:
    named = [FORMATS[column.format]] if column.format is not None else []
    return [column.pattern, *named] if column.pattern is not None else named


def _float(column: ColumnContract) -> Any:
    low, high = (-_LARGEST if column.minimum is None else column.minimum), column.maximum
    bounds: dict[str, Any] = {"ge": low, "le": _LARGEST if high is None else high}
    if column.exclusive_minimum is not None and column.exclusive_minimum >= bounds["ge"]:
        bounds = {"gt": column.exclusive_minimum, "le": bounds["le"]}
    if column.exclusive_maximum is not None and column.exclusive_maximum <= bounds["le"]:
        bounds = {name: bound for name, bound in bounds.items() if name != "le"}
        bounds["lt"] = column.exclusive_maximum
    return Annotated[float, msgspec.Meta(**bounds)]


def _int(column: ColumnContract) -> Any:
    low, high = whole_bounds(column)
    return Annotated[int, msgspec.Meta(ge=low, le=high)]


def _bool(_: ColumnContract) -> Any:
    return bool


def _timestamp(_: ColumnContract) -> Any:
    return Annotated[datetime, msgspec.Meta(tz=True)]


def _date(_: ColumnContract) -> Any:
    return date


def _time(_: ColumnContract) -> Any:
    return Annotated[str, msgspec.Meta(pattern=full_match(TIME_OF_DAY))]


def _array(_: ColumnContract) -> Any:
    return list[Any]


def _object(_: ColumnContract) -> Any:
    return dict[str, Any]


_TYPES: dict[str, Callable[[ColumnContract], Any]] = {
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


def _steps(column: ColumnContract) -> Iterator[Step]:
    if column.type == "timestamp":
        yield _microseconds
    if column.type == "date":
        yield _days
    if column.type == "time":
        yield _time_text
    if column.type in ("array", "object"):
        yield _canonical(list if column.type == "array" else dict)
    if column.multiple_of is not None:
        yield _multiple(column.multiple_of)
    yield from map(_matching, _patterns(column)[1:])


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    physical = since.days * _DAY + since.seconds * _SECOND + since.microseconds
    if not _CALENDAR[0] <= physical < _CALENDAR[1]:
        raise Unfit("outside the calendar")
    return physical


def _moment(physical: int) -> datetime:
    return _EPOCH + timedelta(microseconds=physical)


def _days(day: date) -> int:
    return day.toordinal() - _EPOCH_DAY


def _date_of(physical: int) -> date:
    return date.fromordinal(physical + _EPOCH_DAY)


_LOGICAL: dict[str, Step] = {"timestamp": _moment, "date": _date_of}


def _time_text(text: str) -> str:
    """As in 12:30:00, with six digits after a point where there is a fraction of a second."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<6}" if fraction.strip("0") else whole


def _canonical(kind: type) -> Step:
    def canonical(value: object) -> str:
        text = json_text(value, kind)
        if text is None:
            raise Unfit("cannot be written as JSON")
        return text

    return canonical


def _multiple(step: float) -> Step:
    def multiple(number: float) -> float:
        if not is_multiple(number, step):
            raise Unfit("not a multiple")
        return number

    return multiple


def _matching(pattern: str) -> Step:
    compiled = re.compile(full_match(pattern))

    def matching(text: str) -> str:
        if compiled.search(text) is None:
            raise Unfit("does not match")
        return text

    return matching

"""Example rows of a contract: made from its rules, and held against its own decoder before they are shown."""

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.sanity import LARGEST_INT, SMALLEST_INT, whole_bounds
from seatrial.web.scoring.pattern_texts import pattern_texts

_MOMENT = datetime(2025, 1, 31, 12, tzinfo=UTC)
_DAYS = (0, 10, -10)
_SHAPED = {
    "email": "someone@example.org",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "uri": "https://example.org/",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
# Of each column so many values, and of their combinations so many, are tried against rules over several columns.
_EACH, _TRIES = 6, 500


def example_row(table: TableContract, names: Sequence[str]) -> dict[str, Any] | None:
    """A row of these columns, as JSON says it, that the contract's decoder accepts; None when none was found.

    A column that may be null has a value where one was found.
    """
    columns = [column for column in table.columns if column.name in names]
    choices = [_choices(table, column, place) for place, column in enumerate(columns)]
    if not all(choices):
        return None
    decoder = RowDecoder(table, [column.name for column in columns])
    for values in itertools.islice(_combinations(choices), _TRIES):
        row = {column.name: value for column, value in zip(columns, values, strict=True)}
        if decoder.partial([row])[0]:
            return row
    return None


def _combinations(choices: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """The first of all columns, then those that differ from it in one column, in two, and then whatever is left."""
    first = tuple(values[0] for values in choices)
    yield first
    for many in (1, 2):
        for places in itertools.combinations(range(len(choices)), many):
            for others in itertools.product(*(choices[place][1:] for place in places)):
                changed = dict(zip(places, others, strict=True))
                yield tuple(changed.get(place, value) for place, value in enumerate(first))
    yield from itertools.product(*choices)


def _choices(table: TableContract, column: ColumnContract, place: int) -> list[Any]:
    """Values that the column accepts by itself, the best example first."""
    decoder = RowDecoder(table, [column.name])
    tried = itertools.chain(_VALUES[column.type](column, place), () if column.required else (None,))
    sound = (value for value in tried if decoder.partial([{column.name: value}])[0])
    return list(itertools.islice(sound, _EACH))


def _texts(column: ColumnContract, place: int) -> Iterator[str]:
    if column.values is not None:
        yield from column.values
        return
    if column.format in _SHAPED:
        yield _SHAPED[column.format]
    patterns = [column.pattern, FORMATS.get(column.format or "")]
    for pattern in patterns:
        if pattern is not None:
            yield from pattern_texts(pattern)
    low, high = column.min_length or 0, column.max_length
    for text in (f"{column.name}-{place + 1}", column.name, "example", "a"):
        yield text.ljust(low, "x")[: high if high is not None else None]
    yield ""


def _floats(column: ColumnContract, _: int) -> Iterator[float]:
    lows = [bound for bound in (column.minimum, column.exclusive_minimum) if bound is not None]
    highs = [bound for bound in (column.maximum, column.exclusive_maximum) if bound is not None]
    low, high = max(lows, default=-math.inf), min(highs, default=math.inf)
    step = column.multiple_of
    for number in _between(low, high):
        yield number
        if step is not None:
            yield step * round(number / step)
            yield step * (math.floor(number / step) + 1)


def _between(low: float, high: float) -> Iterator[float]:
    """Numbers as people give them, then those at the ends."""
    if math.isfinite(low) and math.isfinite(high):
        middle = low + (high - low) / 2
        for digits in (0, 1, 2, 6):
            yield round(middle, digits)
        yield middle
    yield from (1.5, 1.0, 0.0, -1.0)
    for end, sign in ((low, 1), (high, -1)):
        if math.isfinite(end):
            yield from (math.floor(end) + sign + 0.5, end + sign, end, math.nextafter(end, sign * math.inf))


def _ints(column: ColumnContract, _: int) -> Iterator[int]:
    low, high = whole_bounds(column)
    ends = [end for end in (low, low + 1, high, high - 1) if SMALLEST_INT + 1 < end < LARGEST_INT - 1]
    middle = [(low + high) // 2] if low > SMALLEST_INT and high < LARGEST_INT else []
    step = int(column.multiple_of) if column.multiple_of and float(column.multiple_of).is_integer() else 1
    for start in (*middle, 1, 2, *ends, 0):
        yield start
        if step > 1:
            yield start - start % step
            yield start - start % step + step


def _bools(_: ColumnContract, __: int) -> Iterator[bool]:
    yield from (False, True)


def _moments(_: ColumnContract, place: int) -> Iterator[str]:
    """Of several columns the later ones are later: rows are usually written in that order."""
    for days in _DAYS:
        yield f"{_MOMENT + timedelta(days=place + days):%Y-%m-%dT%H:%M:%SZ}"


def _dates(_: ColumnContract, place: int) -> Iterator[str]:
    for days in _DAYS:
        yield f"{_MOMENT + timedelta(days=place + days):%Y-%m-%d}"


def _times(_: ColumnContract, __: int) -> Iterator[str]:
    yield from ("12:30:00", "18:00:00", "00:00:00")


def _arrays(_: ColumnContract, __: int) -> Iterator[list[Any]]:
    yield from ([1, 2], [])


def _objects(_: ColumnContract, __: int) -> Iterator[dict[str, Any]]:
    yield from ({"a": 1}, {})


_VALUES = {
    "string": _texts,
    "float": _floats,
    "int": _ints,
    "bool": _bools,
    "timestamp": _moments,
    "date": _dates,
    "time": _times,
    "array": _arrays,
    "object": _objects,
}

"""Columns of Arrow batches as Python values: no count, offset or length is believed before it is checked."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.web.scoring.arrow_stream import ArrowBatch, ArrowField, NoStream
from seatrial.web.scoring.refusals import too_large

_PER_SECOND = {0: 1, 1: 10**3, 2: 10**6, 3: 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIDNIGHT = datetime(1970, 1, 1)  # noqa: DTZ001 - a time of day has no zone
# Many views may point to the same text; together they may not hold more than a body may.
_TEXT_BYTES = 8 * 1024 * 1024


class Parts:
    """The buffers of one batch after another, in order, and how much text they may still stand for."""

    def __init__(self) -> None:
        self._buffers: Iterator[memoryview] = iter(())
        self._views: Iterator[int] = iter(())
        self._left = _TEXT_BYTES

    def turn(self, batch: ArrowBatch) -> None:
        """Go on with a batch."""
        self._buffers, self._views = iter(batch.buffers), iter(batch.views)

    def buffer(self) -> memoryview:
        """The next buffer. Raises NoStream when there is none."""
        try:
            return next(self._buffers)
        except StopIteration:
            raise NoStream("buffers for every column, got too few") from None

    def of_views(self) -> list[memoryview]:
        """The next buffers that views of text point into."""
        return [self.buffer() for _ in range(next(self._views, 0))]

    def spend(self, size: int) -> None:
        """Count text that views point to. Raises Refusal (413) when it is more than a body may hold."""
        self._left -= size
        if self._left < 0:
            raise too_large(_TEXT_BYTES)


def column_values(field: ArrowField, rows: int, parts: Parts) -> list[Any]:
    """The column's values in the present batch, null as None. Raises NoStream and Refusal (413)."""
    if field.kind == "null":
        return [None] * rows
    validity = parts.buffer()
    try:
        values = _READERS[field.kind](field, rows, parts)
    except UnicodeDecodeError as error:
        raise NoStream(f"column {field.name[:80]}: text in UTF-8: {error}") from error
    if not len(validity):
        return values
    there = _bits(validity, rows)
    return (
        values
        if all(there)
        else [one if is_there else None for one, is_there in zip(values, there, strict=True)]
    )


def _bits(buffer: memoryview, rows: int) -> list[bool]:
    if 8 * len(buffer) < rows:
        raise NoStream(f"{rows} bits, got {8 * len(buffer)}")
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8), count=rows, bitorder="little")
    flags: list[bool] = bits.astype(bool).tolist()
    return flags


def _array(buffer: memoryview, kind: str, count: int) -> npt.NDArray[Any]:
    size = np.dtype(kind).itemsize
    if len(buffer) < count * size:
        raise NoStream(f"{count * size} bytes for {count} values, got {len(buffer)}")
    return np.frombuffer(buffer, dtype=kind, count=count)


def _numbers(field: ArrowField, rows: int, parts: Parts) -> list[Any]:
    letter = "f" if field.kind == "float" else "i" if field.signed else "u"
    if field.bits not in (8, 16, 32, 64) or (letter == "f" and field.bits == 8):
        raise NoStream(f"column {field.name[:80]}: numbers of 8, 16, 32 or 64 bits, got {field.bits}")
    numbers: list[Any] = _array(parts.buffer(), f"<{letter}{field.bits // 8}", rows).tolist()
    return numbers


def _flags(_: ArrowField, rows: int, parts: Parts) -> list[Any]:
    return list(_bits(parts.buffer(), rows))


def _texts(field: ArrowField, rows: int, parts: Parts) -> list[Any]:
    kind = "<i8" if field.kind == "large text" else "<i4"
    raw, data = parts.buffer(), parts.buffer()
    if not rows:
        return []
    offsets = _array(raw, kind, rows + 1)
    if offsets[0] < 0 or offsets[-1] > len(data) or bool((np.diff(offsets) < 0).any()):
        raise NoStream(f"column {field.name[:80]}: text within its {len(data)} bytes")
    ends = offsets.tolist()
    whole = bytes(data)
    return [whole[start:end].decode() for start, end in pairwise(ends)]


def _viewed(field: ArrowField, rows: int, parts: Parts) -> list[Any]:
    raw = parts.buffer()
    words = _array(raw, "<i4", 4 * rows).reshape(rows, 4).tolist()
    data = parts.of_views()
    return [_piece(field, raw, row, word, data, parts) for row, word in enumerate(words)]


def _piece(
    field: ArrowField, raw: memoryview, row: int, word: list[int], data: list[memoryview], parts: Parts
) -> str:
    """The text of one view: up to 12 bytes stand in it, longer ones in a buffer."""
    length, _, buffer, offset = word
    if 0 <= length <= 12:
        return bytes(raw[16 * row + 4 : 16 * row + 4 + length]).decode()
    if length < 0 or offset < 0 or not 0 <= buffer < len(data) or offset + length > len(data[buffer]):
        raise NoStream(f"column {field.name[:80]}: text within its buffers")
    parts.spend(length)
    return bytes(data[buffer][offset : offset + length]).decode()


def _moments(field: ArrowField, rows: int, parts: Parts) -> list[Any]:
    per_second = _PER_SECOND.get(field.unit)
    if per_second is None:
        raise NoStream(f"column {field.name[:80]}: seconds or parts of them, got unit {field.unit}")
    zone = UTC if field.zone else None
    return [_moment(one, per_second, zone) for one in _array(parts.buffer(), "<i8", rows).tolist()]


def _moment(count: int, per_second: int, zone: Any) -> object:
    try:
        # Rounded to the microsecond, as texts are.
        moment = _EPOCH + timedelta(microseconds=_rounded(count * 10**6, per_second))
    except OverflowError:
        return count
    return moment.replace(tzinfo=zone)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _days(field: ArrowField, rows: int, parts: Parts) -> list[Any]:
    """Dates; one that says a time of day, which a date cannot, is a number for the contract to refuse."""
    counts = _array(parts.buffer(), f"<i{field.bits // 8}", rows).tolist()
    per_day = 86_400_000 if field.bits == 64 else 1
    return [_day(count, per_day) for count in counts]


def _day(count: int, per_day: int) -> object:
    days, rest = divmod(count, per_day)
    try:
        return date(1970, 1, 1) + timedelta(days=days) if not rest else count
    except OverflowError:
        return count


def _times(field: ArrowField, rows: int, parts: Parts) -> list[Any]:
    per_second = _PER_SECOND.get(field.unit)
    if per_second is None or field.bits not in (32, 64):
        raise NoStream(f"column {field.name[:80]}: times of 32 or 64 bits, got {field.bits}")
    counts = _array(parts.buffer(), f"<i{field.bits // 8}", rows).tolist()
    return [_time(count, per_second) for count in counts]


def _time(count: int, per_second: int) -> object:
    micros = _rounded(count * 10**6, per_second)
    if not 0 <= micros < 86_400 * 10**6:
        return count
    moment: time = (_MIDNIGHT + timedelta(microseconds=micros)).time()
    return moment.isoformat()


_Reader = Callable[[ArrowField, int, Parts], list[Any]]
_READERS: dict[str, _Reader] = {
    "int": _numbers,
    "float": _numbers,
    "bool": _flags,
    "text": _texts,
    "large text": _texts,
    "text view": _viewed,
    "timestamp": _moments,
    "date": _days,
    "time": _times,
}

"""Rows as requests carry them: JSON or Arrow streams, in parts that a server takes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from seatrial.errors import RequestInvalid

if TYPE_CHECKING:
    import polars as pl

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"


@runtime_checkable
class Table(Protocol):
    """Anything that gives its rows as an Arrow C stream: Polars, PyArrow, DuckDB, and so on."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A PyCapsule of an ArrowArrayStream."""
        ...


Row = Mapping[str, Any]
Rows = Row | Sequence[Row] | Table


class Room(msgspec.Struct, frozen=True):
    """What a server takes in one request."""

    rows: int = 10_000
    bytes: int = 8 * 1024 * 1024


ROOM = Room()


class Part(msgspec.Struct, frozen=True):
    """So many rows, from row number `first` of the whole: a list of JSON objects, or a whole Arrow stream."""

    first: int
    rows: int
    content_type: str
    body: bytes


# What a JSON request has around its rows.
_AROUND = 200


def parts_of(rows: Rows, room: Room) -> Iterator[Part]:
    """The rows in parts that fit; at least one, if without rows.

    Raises RequestInvalid for values that JSON cannot carry, and TypeError for what are no rows.
    """
    if isinstance(rows, Mapping):
        yield from _json_parts([rows], room)
    elif isinstance(rows, Table):
        from seatrial.client.tables import frame_of

        yield from _arrow_parts(frame_of(rows), room, 0)
    elif isinstance(rows, list | tuple):
        yield from _json_parts(rows, room)
    else:
        hint = "; collect() it first" if hasattr(rows, "collect") else ""
        raise TypeError(f"expected a mapping, a list of mappings or a table, got {type(rows).__name__}{hint}")


def objects_of(rows: Rows) -> Rows:
    """The same rows, a table as mappings: what only JSON doors take."""
    if isinstance(rows, Mapping) or not isinstance(rows, Table):
        return rows
    from seatrial.client.tables import frame_of

    return frame_of(rows).to_dicts()


def encoded(row: object, number: int) -> bytes:
    """One row as a JSON object. Raises RequestInvalid that names every field which JSON cannot carry."""
    if not isinstance(row, Mapping):
        raise TypeError(f"row {number}: expected a mapping of field to value, got {type(row).__name__}")
    if not all(_is_finite(value) for value in row.values()):
        raise RequestInvalid(_faults(row, number))
    try:
        return _encoder.encode(row if isinstance(row, dict) else dict(row))
    except (TypeError, ValueError) as error:
        raise RequestInvalid(_faults(row, number)) from error


def _json_parts(rows: Sequence[object], room: Room) -> Iterator[Part]:
    first, size = 0, _AROUND
    texts: list[bytes] = []
    for number, row in enumerate(rows):
        text = encoded(row, number)
        if texts and (len(texts) >= room.rows or size + len(text) + 1 > room.bytes):
            yield Part(first, len(texts), JSON, b"[" + b",".join(texts) + b"]")
            first, size, texts = number, _AROUND, []
        texts.append(text)
        size += len(text) + 1
    yield Part(first, len(texts), JSON, b"[" + b",".join(texts) + b"]")


def _arrow_parts(frame: "pl.DataFrame", room: Room, first: int) -> Iterator[Part]:
    from seatrial.client.tables import stream_of

    if frame.height > room.rows:
        for start in range(0, frame.height, room.rows):
            yield from _arrow_parts(frame.slice(start, room.rows), room, first + start)
        return
    body = stream_of(frame)
    if len(body) <= room.bytes or frame.height <= 1:
        yield Part(first, frame.height, ARROW, body)
        return
    half = frame.height // 2
    yield from _arrow_parts(frame.slice(0, half), room, first)
    yield from _arrow_parts(frame.slice(half), room, first + half)


def _faults(row: Row, number: int) -> list[dict[str, object]]:
    return [
        {
            "row": number,
            "field": str(name),
            "expected": "a value that JSON can carry; null where a value is missing",
            "received": repr(value) if isinstance(value, float) else type(value).__name__,
        }
        for name, value in row.items()
        if not _is_carried(value)
    ]


def _is_carried(value: object) -> bool:
    try:
        _encoder.encode(value)
    except (TypeError, ValueError):
        return False
    return _is_finite(value)


def _plain(value: Any) -> Any:
    """NumPy's scalars and the subclasses of Python's own types, as Python's own."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        plain = value.item()
        if _is_finite(plain):
            return plain
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _is_finite(value: object) -> bool:
    """Whether no number in it is one that JSON lacks: the encoder would write null for it."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_is_finite(inner) for inner in value.values())
    return not isinstance(value, list | tuple) or all(_is_finite(inner) for inner in value)


_encoder = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")

"""What is in an Arrow IPC stream, found by its own reading: no length that the bytes claim is believed.

Library readers allocate what a stream's metadata claims, and end the process when that is more than there is. Here
every offset and length is held against the bytes that came. Columns are flat: numbers, truth values, text, dates
and times; buffers uncompressed; no dictionaries. Source: the Arrow columnar format's specification of IPC streams.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from seatrial.web.scoring.flatbuffers import MOST, FlatTable, NoTable

_CONTINUES = b"\xff\xff\xff\xff"
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
TYPES = {
    1: "null",
    2: "int",
    3: "float",
    4: "binary",
    5: "text",
    6: "bool",
    7: "decimal",
    8: "date",
    9: "time",
    10: "timestamp",
    11: "interval",
    12: "list",
    13: "struct",
    14: "union",
    15: "binary",
    16: "list",
    17: "map",
    18: "duration",
    19: "binary",
    20: "large text",
    21: "list",
    22: "run-end encoded",
    23: "binary",
    24: "text view",
    25: "list",
    26: "list",
}
_FLAT = {"null", "int", "float", "text", "bool", "date", "time", "timestamp", "large text", "text view"}


class NoStream(ValueError):
    """Bytes that are no Arrow stream as it is taken here; the message says what was expected and what came."""


@dataclass(frozen=True)
class ArrowField:
    """A column: its name, its type, and what the type needs: width in bits, unit, zone."""

    name: str
    kind: str
    bits: int = 0
    signed: bool = True
    unit: int = 0
    zone: str = ""


@dataclass(frozen=True)
class ArrowBatch:
    """A record batch: how many rows, and the columns' buffers in order, bytes that are there."""

    rows: int
    buffers: list[memoryview]
    views: list[int]


def read_stream(body: bytes, limit: int) -> tuple[list[ArrowField], list[ArrowBatch]]:
    """The columns and batches, of at most `limit` rows together.

    Raises NoStream for anything else than one whole stream of flat columns, and TooManyRows.
    """
    try:
        return _read(body, limit)
    except (struct.error, UnicodeDecodeError, NoTable) as error:
        raise NoStream(f"metadata that cannot be read: {error}") from error


class TooManyRows(ValueError):
    """A stream with more rows than a request may have; `rows` is how many were counted."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        super().__init__(f"{rows} rows")


def _read(body: bytes, limit: int) -> tuple[list[ArrowField], list[ArrowBatch]]:
    fields: list[ArrowField] | None = None
    batches: list[ArrowBatch] = []
    rows = 0
    for kind, header, tail in _messages(body):
        if kind == _SCHEMA and fields is None:
            fields = _fields(header)
        elif kind == _BATCH and fields is not None:
            batches.append(_batch(header, tail))
            rows += batches[-1].rows
            if len(batches) > MOST:
                raise NoStream(f"at most {MOST} batches")
        else:
            what = {_SCHEMA: "a second schema", _DICTIONARY: "a dictionary; send the values themselves"}
            raise NoStream(
                f"a schema and then record batches, got {what.get(kind, f'a message of kind {kind}')}"
            )
        if rows > limit:
            raise TooManyRows(rows)
    if fields is None:
        raise NoStream("a schema first, got the end of the stream")
    return fields, batches


def _messages(body: bytes) -> Iterator[tuple[int, FlatTable, memoryview]]:
    view, at = memoryview(body), 0
    if body[:6] == b"ARROW1":
        raise NoStream("a stream, got an Arrow file; write it with the stream writer")
    while True:
        if body[at : at + 4] != _CONTINUES:
            what = "the bytes end before the stream does" if at >= len(body) else "other bytes"
            raise NoStream(f"a message at byte {at}, but {what}")
        size = struct.unpack_from("<i", body, at + 4)[0]
        at += 8
        if size == 0:
            break
        if size < 0 or at + size > len(body):
            raise NoStream(f"a message of {size} bytes where {len(body) - at} are left")
        metadata = view[at : at + size]
        message = FlatTable(metadata, struct.unpack_from("<I", metadata)[0])
        length = message.scalar(3, "<q")
        at += size
        if length < 0 or at + length > len(body):
            raise NoStream(f"a body of {length} bytes where {len(body) - at} are left")
        header = message.table(2)
        if header is None:
            raise NoStream("a message with a header")
        yield message.scalar(1, "<B"), header, view[at : at + length]
        at += length
    if at != len(body):
        raise NoStream(f"one stream, but {len(body) - at} bytes follow its end")


def _fields(schema: FlatTable) -> list[ArrowField]:
    if schema.scalar(0, "<h"):
        raise NoStream("little-endian values, got big-endian ones")
    return [_field(one) for one in schema.tables(1)]


def _field(field: FlatTable) -> ArrowField:
    name, code = field.text(0), field.scalar(2, "<B")
    kind = TYPES.get(code, f"type {code}")
    if field.table(4) is not None:
        raise NoStream(f"column {name[:80]}: plain values, got a dictionary; send the values themselves")
    if kind not in _FLAT or field.tables(5):
        raise NoStream(f"column {name[:80]}: numbers, truth values, text or times, got {kind}")
    details = field.table(3)
    if details is None:
        raise NoStream(f"column {name[:80]}: a type with its details")
    return _DETAILS.get(kind, _plain)(name, kind, details)


def _plain(name: str, kind: str, _: FlatTable) -> ArrowField:
    return ArrowField(name, kind)


def _int(name: str, kind: str, details: FlatTable) -> ArrowField:
    return ArrowField(name, kind, details.scalar(0, "<i"), bool(details.scalar(1, "<B")))


def _float(name: str, kind: str, details: FlatTable) -> ArrowField:
    return ArrowField(name, kind, {0: 16, 1: 32, 2: 64}.get(details.scalar(0, "<h"), 0))


def _date(name: str, kind: str, details: FlatTable) -> ArrowField:
    unit = details.scalar(0, "<h", 1)
    return ArrowField(name, kind, 64 if unit else 32, unit=unit)


def _time(name: str, kind: str, details: FlatTable) -> ArrowField:
    return ArrowField(name, kind, details.scalar(1, "<i", 32), unit=details.scalar(0, "<h", 1))


def _timestamp(name: str, kind: str, details: FlatTable) -> ArrowField:
    return ArrowField(name, kind, 64, unit=details.scalar(0, "<h"), zone=details.text(1))


_DETAILS = {"int": _int, "float": _float, "date": _date, "time": _time, "timestamp": _timestamp}


def _batch(header: FlatTable, body: memoryview) -> ArrowBatch:
    rows = header.scalar(0, "<q")
    if header.table(3) is not None:
        raise NoStream("buffers as they are, got compressed ones; write the stream without compression")
    if rows < 0:
        raise NoStream(f"a batch of at least 0 rows, got {rows}")
    buffers = []
    for offset, length in header.numbers(2, 2):
        if offset < 0 or length < 0 or offset + length > len(body):
            raise NoStream(f"a buffer within the batch's {len(body)} bytes, got {length} bytes at {offset}")
        buffers.append(body[offset : offset + length])
    if sum(map(len, buffers)) > len(body):
        raise NoStream("buffers that share no bytes")
    return ArrowBatch(rows, buffers, [count for (count,) in header.numbers(4, 1)])

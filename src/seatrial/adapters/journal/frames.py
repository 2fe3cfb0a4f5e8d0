"""The bytes of a segment: a header, then records, each with its length and a CRC-32.

Header (16 bytes, little-endian): magic `SEATJRNL`, version u16, zero u16, CRC-32 of the twelve bytes before.
Record: length u32, CRC-32 u32 over the length and the body, body. The length is under the CRC, so that a
tail of zeros, which a loss of power can leave, is no run of empty records.
"""

import struct
import zlib
from collections.abc import Sequence

import msgspec

from seatrial.errors import IntegrityBroken

_MAGIC = b"SEATJRNL"
_VERSION = 1
_HEADER = struct.Struct("<8sHHI")
_LENGTH = struct.Struct("<I")
_FRAME = struct.Struct("<II")
LARGEST = 2**32 - 1


class Scan(msgspec.Struct, frozen=True):
    """Whole records from the start of a segment; `good` bytes hold them, the rest of `size` does not read."""

    records: list[bytes]
    good: int
    size: int


def header() -> bytes:
    """The sixteen bytes that begin a segment."""
    lead = _HEADER.pack(_MAGIC, _VERSION, 0, 0)[:-4]
    return lead + _LENGTH.pack(zlib.crc32(lead))


def framed(records: Sequence[bytes]) -> bytes:
    """The frames of records, joined. Raises ValueError for a record that is longer than `LARGEST`."""
    if len(records) == 1:
        return _frame_head(records[0]) + records[0]
    return b"".join(part for record in records for part in (_frame_head(record), record))


def scan(data: bytes, name: str) -> Scan:
    """Everything that reads, from the start up to the first damage. Raises IntegrityBroken for a newer version."""
    if not _header_holds(data, name):
        return Scan([], 0, len(data))
    records: list[bytes] = []
    at = _HEADER.size
    while (record := _record_at(data, at)) is not None:
        records.append(record)
        at += _FRAME.size + len(record)
    return Scan(records, at, len(data))


def reads_again(data: bytes, after: int) -> int | None:
    """The offset of the first whole, non-empty record behind the damage at `after`; None when there is none."""
    for at in range(after + 1, len(data) - _FRAME.size):
        if _record_at(data, at):
            return at
    return None


def _frame_head(record: bytes) -> bytes:
    if len(record) > LARGEST:
        raise ValueError(f"a record of {len(record)} bytes, expected at most {LARGEST}")
    length = _LENGTH.pack(len(record))
    return length + _LENGTH.pack(zlib.crc32(record, zlib.crc32(length)))


def _record_at(data: bytes, at: int) -> bytes | None:
    body = at + _FRAME.size
    if body > len(data):
        return None
    length, expected = _FRAME.unpack_from(data, at)
    if body + length > len(data):
        return None
    record = data[body : body + length]
    return record if zlib.crc32(record, zlib.crc32(data[at : at + _LENGTH.size])) == expected else None


def _header_holds(data: bytes, name: str) -> bool:
    if len(data) < _HEADER.size:
        return False
    magic, version, _, check = _HEADER.unpack_from(data)
    if magic != _MAGIC or zlib.crc32(data[: _HEADER.size - 4]) != check:
        return False
    if version != _VERSION:
        raise IntegrityBroken(
            f"journal segment {name}: written in version {version} of the format, expected {_VERSION}; "
            "read it with the version of Seatrial that wrote it"
        )
    return True

"""Rows of prepared tables as keys and values of a sorted key-value store.

A key is the row's key columns as MessagePack, which is prefix-free, then the time from which the row is known,
counted backwards: among the keys of one row key, the first at or after a moment's key is the latest row known then.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from seatrial.product.lookups import KNOWN, TOLD

Key = tuple[Any, ...]
# LMDB takes keys of 511 bytes; longer ones stand under their digest, as an extension type that no value has.
_LONGEST = 480
_HASHED = 1
_LATEST = 2**63 - 1
# Rows without time stand always: they are found at this moment, whatever is asked.
TIMELESS = 0
_time = struct.Struct(">Q").pack
_encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
decode: Callable[[bytes], list[Any]] = msgspec.msgpack.Decoder(list).decode


def key_prefix(values: Key) -> bytes:
    """The bytes with which all entries of a row key begin, and no others."""
    plain = [value + 0.0 if type(value) is float else value for value in values]  # -0.0 is 0.0
    prefix = _encode(plain)
    if len(prefix) > _LONGEST:
        return _encode(msgspec.msgpack.Ext(_HASHED, hashlib.sha256(prefix).digest()))
    return prefix


def key_suffix(moment: int) -> bytes:
    """A moment in microseconds since 1970, so that later ones sort first."""
    return _time(_LATEST - moment)


def keys_of(frame: pl.DataFrame, on: Sequence[str]) -> Iterator[Key]:
    """The key of each row, moments and dates as numbers."""
    return zip(*(_plain(frame[column]).to_list() for column in on), strict=True)


def moments_of(frame: pl.DataFrame, column: str = KNOWN) -> list[int | None]:
    """The moment of each row in microseconds; TIMELESS where rows have none."""
    if column not in frame.columns:
        return [TIMELESS] * frame.height
    return frame[column].cast(pl.Datetime("us", "UTC")).to_physical().to_list()


def entries(frame: pl.DataFrame, on: Sequence[str]) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of every row of a prepared table, in its order."""
    values = [_plain(frame[name]).to_list() for name in value_columns(frame, on)]
    rows = zip(*values, strict=True) if values else iter([()] * frame.height)
    for key, moment, row in zip(keys_of(frame, on), moments_of(frame), rows, strict=True):
        assert moment is not None  # no row of a prepared table is without the time from which it is known
        yield key_prefix(key) + key_suffix(moment), _encode(row)


def value_columns(frame: pl.DataFrame, on: Sequence[str]) -> list[str]:
    """The columns that a value holds, in order."""
    return [name for name in frame.columns if name not in (*on, KNOWN, TOLD)]


def plain_type(dtype: pl.DataType) -> pl.DataType:
    """The type in which values of a column are stored."""
    return pl.Series(dtype=dtype).to_physical().dtype if dtype.is_temporal() else dtype


def _plain(column: pl.Series) -> pl.Series:
    return column.to_physical() if column.dtype.is_temporal() else column

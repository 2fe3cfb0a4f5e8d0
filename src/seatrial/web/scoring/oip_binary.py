"""The binary tensor extension of the Open Inference Protocol: bytes to flat arrays and back.

Tensors are little-endian, row after row; truth values are single bytes; an element of BYTES is its length in four
bytes, then itself. Source: the protocol's binary data extension, as Triton and its clients speak it.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

DATATYPES: dict[str, str] = {
    "BOOL": "|b1",
    "UINT8": "|u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "|i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "BF16": "<u2",
    "FP32": "<f4",
    "FP64": "<f8",
}
BYTES = "BYTES"
_LENGTH = struct.Struct("<I")


class Garbled(ValueError):
    """Bytes that are no tensor of their datatype and count; the message says what was expected and what came."""


def cut(tail: bytes, sizes: Sequence[int]) -> list[memoryview]:
    """The tensors' bytes, in order. Raises Garbled unless the sizes fill the tail exactly."""
    if sum(sizes) != len(tail):
        raise Garbled(f"tensors of {sum(sizes)} bytes together after the JSON, {len(tail)} bytes follow it")
    view, parts, start = memoryview(tail), [], 0
    for size in sizes:
        parts.append(view[start : start + size])
        start += size
    return parts


def read_elements(datatype: str, data: memoryview, count: int) -> list[Any]:
    """The elements as Python values; those of BYTES as bytes.

    Raises Garbled when the bytes do not hold exactly `count` of them.
    """
    if datatype == BYTES:
        return _read_texts(data, count)
    kind = np.dtype(DATATYPES[datatype])
    if len(data) != count * kind.itemsize:
        raise Garbled(f"{count * kind.itemsize} bytes for {count} x {datatype}, got {len(data)}")
    elements: list[Any] = _numbers(datatype, data, kind).tolist()
    return elements


def _numbers(datatype: str, data: memoryview, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    if datatype == "BOOL":
        flags = np.frombuffer(data, dtype=np.uint8)
        if flags.size and flags.max() > 1:
            raise Garbled(f"bytes of 0 or 1 for BOOL, got {flags.max()}")
        return flags.astype(bool)
    numbers: npt.NDArray[Any] = np.frombuffer(data, dtype=kind)
    # BF16 is the upper half of a float of 32 bits.
    return (numbers.astype("<u4") << 16).view("<f4") if datatype == "BF16" else numbers


def _read_texts(data: memoryview, count: int) -> list[bytes]:
    texts: list[bytes] = []
    at = 0
    while at < len(data) and len(texts) < count:
        if at + 4 > len(data):
            break
        end = at + 4 + _LENGTH.unpack_from(data, at)[0]
        if end > len(data):
            raise Garbled(f"an element of {end - at - 4} bytes where {len(data) - at - 4} are left")
        texts.append(bytes(data[at + 4 : end]))
        at = end
    if at != len(data) or len(texts) != count:
        raise Garbled(
            f"{count} elements with their lengths, got {len(texts)} and {len(data) - at} bytes more"
        )
    return texts


def write_elements(datatype: str, values: Sequence[Any]) -> bytes:
    """The bytes of a tensor of BYTES (from texts), BOOL or FP64 (None becomes NaN)."""
    if datatype == BYTES:
        return b"".join(_LENGTH.pack(len(text)) + text for text in (str(one).encode() for one in values))
    if datatype == "FP64":
        values = [np.nan if one is None else one for one in values]
    return np.asarray(values, dtype=DATATYPES[datatype]).tobytes()


def counted(data: bytes, datatype: str) -> int:
    """How many elements a raw body holds, as far as its length tells. Raises Garbled when it holds no whole number."""
    if datatype == BYTES:
        return _count_texts(data)
    size = np.dtype(DATATYPES[datatype]).itemsize
    if len(data) % size:
        raise Garbled(f"a multiple of {size} bytes for {datatype}, got {len(data)}")
    return len(data) // size


def _count_texts(data: bytes) -> int:
    count = at = 0
    while at + 4 <= len(data):
        at += 4 + _LENGTH.unpack_from(data, at)[0]
        count += 1
    return count

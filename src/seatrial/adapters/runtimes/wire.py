"""Messages between a server and a model in a process of its own: a header of fixed length, then plain arrays.

Nothing on the wire is unpickled: whatever a model does to its end, the other reads numbers and text.
"""

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

# server to model
LOAD, SCORE = 1, 2
# model to server
READY, SCORES, FAILED, NO_MEMORY = 3, 4, 5, 6
LONGEST_TEXT = 64 * 1024
_HEADER = struct.Struct("<IBQQ")
_LENGTH = np.dtype("<u4")
_NUMBER = np.dtype("<f4")


@dataclass(frozen=True)
class Message:
    """A kind, the number of the call that it belongs to, a number of rows, and bytes."""

    call: int
    kind: int
    rows: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


def send(channel: socket.socket, message: Message) -> None:
    """The message, sent whole. Raises OSError, TimeoutError among them."""
    header = _HEADER.pack(message.call, message.kind, message.rows, len(message.body))
    channel.sendall(header + message.body)


def receive(channel: socket.socket, longest: int, until: float | None = None) -> Message:
    """The next message. `until` is a moment of the monotonic clock.

    Raises EOFError when the other side is gone, TimeoutError, and ValueError for a body longer than `longest`.
    """
    call, kind, rows, length = _HEADER.unpack(_exactly(channel, _HEADER.size, until))
    if length > longest:
        raise ValueError(f"a message of {length} bytes, where at most {longest} were expected")
    return Message(call, kind, rows, bytes(_exactly(channel, length, until)))


def _exactly(channel: socket.socket, size: int, until: float | None) -> bytearray:
    body = bytearray(size)
    view = memoryview(body)
    while view:
        if until is not None:
            channel.settimeout(max(until - time.monotonic(), 1e-6))
        count = channel.recv_into(view)
        if not count:
            raise EOFError("the other side is gone")
        view = view[count:]
    return body


def encode(numbers: npt.NDArray[np.float32] | None, texts: Sequence[npt.NDArray[Any]]) -> bytes:
    """A matrix of float32, then each column of text: the lengths of its values in bytes, and the values."""
    parts = [] if numbers is None else [numbers.astype(_NUMBER, copy=False).tobytes()]
    for column in texts:
        values = [text.encode("utf-8", "surrogatepass") for text in column[:, 0].tolist()]
        lengths = np.fromiter(map(len, values), _LENGTH, len(values))
        parts += [lengths.tobytes(), b"".join(values)]
    return b"".join(parts)


def decode(
    body: bytes, rows: int, numbers: int, texts: int
) -> tuple[npt.NDArray[np.float32], list[list[str]]]:
    """The matrix of shape (rows, numbers), and the columns of text."""
    place = rows * numbers * _NUMBER.itemsize
    # A copy: some estimators refuse numbers that they may not write.
    matrix = np.frombuffer(body, _NUMBER, rows * numbers).reshape(rows, numbers).copy()
    columns: list[list[str]] = []
    for _ in range(texts):
        ends = place + rows * _LENGTH.itemsize + np.cumsum(np.frombuffer(body, _LENGTH, rows, place))
        starts = [place + rows * _LENGTH.itemsize, *ends.tolist()]
        columns.append([body[start:end].decode("utf-8", "surrogatepass") for start, end in pairwise(starts)])
        place = starts[-1]
    return matrix, columns

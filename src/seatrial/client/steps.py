"""The words between what a call wants and what a driver does: a call yields Send or Wait and gets Reply or Broke.

Nothing here does any input or output, so that the blocking client and the asynchronous one run the same calls.
"""

from collections.abc import Generator, Mapping
from typing import TypeVar

import msgspec


class Send(msgspec.Struct, frozen=True):
    """Send this request once; its whole answer must be there by `ends_at` of the client's clock."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    ends_at: float


class Wait(msgspec.Struct, frozen=True):
    """Do nothing for so many seconds."""

    seconds: float


class Reply(msgspec.Struct, frozen=True):
    """A whole HTTP answer; header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broke(msgspec.Struct, frozen=True):
    """An attempt without a whole answer, and why; `late` when its time was over."""

    error: Exception
    late: bool = False


AnsweredT = TypeVar("AnsweredT")
Steps = Generator[Send | Wait, Reply | Broke | None, AnsweredT]

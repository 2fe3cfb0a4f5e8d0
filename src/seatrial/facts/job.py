"""Progress of the loop's own work, so that a restarted worker goes on where the last one stopped."""

from datetime import datetime
from typing import Any

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Long work. `state` is running, done or failed; `output` names what it made (by id or digest).

    `attempts` counts failures in a row that another try may mend, `error` tells the last one, and nothing is
    tried again before `not_before`.
    """

    id: str
    product: str
    kind: str
    state: str
    created_at: datetime
    ready_at: datetime | None = None
    finished_at: datetime | None = None
    why: str = ""
    output: dict[str, str] = {}
    error: str | None = None
    attempts: int = 0
    not_before: datetime | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one consumer has come: `position` counts what it has taken in, `state` is its own memory.

    It is committed in one transaction with what the consumer wrote, so every row counts once.
    """

    id: str
    product: str
    position: int
    at: datetime
    state: dict[str, Any] = {}


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to do one piece of work. `epoch` rises whenever the holder changes; writers carry it."""

    name: str
    holder: str
    epoch: int
    expires_at: datetime

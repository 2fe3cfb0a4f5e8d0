"""A lock that is the kernel's: who is killed holds it no more."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seatrial.errors import Conflict


@contextmanager
def claimed(lock: Path, what: str) -> Iterator[None]:
    """Keeps other processes of this machine off while the block runs. Raises Conflict when one is at it already."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = _taken(lock)
    if held is None:
        raise Conflict(f"{what}: another process writes to it; wait until it is done, or stop it")
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(held)


def _taken(lock: Path) -> int | None:
    while True:
        held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            return None
        if _is_there(lock, held):
            return held
        # Its holder removed it between our opening and our locking it: it keeps nobody off.
        os.close(held)


def _is_there(lock: Path, held: int) -> bool:
    try:
        return lock.stat().st_ino == os.fstat(held).st_ino
    except FileNotFoundError:
        return False

"""What the workers of one server tell each other: a scrape reaches one of them, and is to see all."""

import fcntl
import os
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from seatrial.web.scoring.metrics_text import Sample

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Sample]).decode


class Colleagues:
    """This worker's place among the workers of its server.

    Each keeps two files in `folder`: `<server>.<worker>.samples`, replaced as a whole, and a `.lock` beside it that is
    held while the worker lives, however it ends. Whose lock can be taken is dead, and both files go.
    """

    def __init__(self, folder: Path, server: str) -> None:
        """Raises OSError when the folder cannot be written."""
        self.worker = f"{os.getpid()}-{secrets.token_hex(2)}"
        self._folder, self._server = folder, server
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._path("lock", self.worker)
        self._held: int | None = _taken(self._lock)
        self._writing = threading.Lock()

    def publish(self, samples: Sequence[Sample]) -> None:
        """Write what this worker has measured, for the others to show. Raises OSError."""
        fresh = self._path("fresh", self.worker)
        with self._writing:
            if self._held is None:
                return
            fresh.write_bytes(_encode(samples))
            fresh.replace(self._path("samples", self.worker))

    def others(self) -> dict[str, list[Sample]]:
        """What the other living workers of this server have written, by worker. Raises OSError."""
        found: dict[str, list[Sample]] = {}
        for lock in self._folder.glob("*.lock"):
            if lock == self._lock or _removed_as_dead(lock):
                continue
            server, _, worker = lock.stem.partition(".")
            if server != self._server:
                continue
            try:
                found[worker] = _decode(self._path("samples", worker).read_bytes())
            except FileNotFoundError:
                continue  # it has only just begun, or has just gone
        return found

    def close(self) -> None:
        """Be gone for the others."""
        with self._writing:
            held, self._held = self._held, None
        if held is not None:
            _remove(self._lock)
            os.close(held)

    def _path(self, kind: str, worker: str) -> Path:
        return self._folder / f"{self._server}.{worker}.{kind}"


def _taken(lock: Path) -> int:
    """A new lock file's descriptor, locked."""
    while True:
        held = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(held), lock.stat()):
                return held
        except FileNotFoundError:  # somebody took it for a dead one's between the two lines above
            pass
        os.close(held)


def _removed_as_dead(lock: Path) -> bool:
    """Whether nobody holds a lock; its files are then removed."""
    try:
        tried = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(tried, fcntl.LOCK_SH | fcntl.LOCK_NB)
        _remove(lock)
    except BlockingIOError:
        return False
    finally:
        os.close(tried)
    return True


def _remove(lock: Path) -> None:
    """Remove a worker's files, the lock last: while it is there, somebody will come to remove the rest."""
    for kind in (".samples", ".fresh", ".lock"):
        lock.with_suffix(kind).unlink(missing_ok=True)

"""The names of a journal's files, and what both ends do with them."""

import fcntl
import os
import re
import secrets
import time
from pathlib import Path

import msgspec

OPEN, SEALED, CUT, LOCK = "open", "sealed", "cut", "lock"
ASIDE, REASON = "aside", "reason"
_WRITER = r"[A-Za-z0-9_-]+"
_KIND = r"[a-z][a-z0-9_]*"
_SEGMENT = re.compile(
    rf"(?P<writer>{_WRITER})\.(?P<number>[0-9]+)\.(?P<kind>{_KIND})\.(?P<state>open|sealed)"
)

_KEPT = re.compile(rf"(?P<writer>{_WRITER})\.(?P<number>[0-9]+)\.(?P<kind>{_KIND})\.(?P<state>aside|cut)")


class SegmentFile(msgspec.Struct, frozen=True):
    """A segment by name: `{writer}.{number}.{kind}.{state}` in the journal's folder."""

    folder: Path
    writer: str
    number: int
    kind: str
    state: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / f"{self.writer}.{self.number:010d}.{self.kind}.{self.state}"

    def turned(self, state: str) -> "SegmentFile":
        """The same segment in another state."""
        return msgspec.structs.replace(self, state=state)


def fresh_writer_id(name: str) -> str:
    """An id that no other start of any process has: ids of one name sort in the order of their starts."""
    return f"{name}-{time.time_ns():016x}-{secrets.token_hex(3)}"


def is_writer(name: str) -> bool:
    """Whether a name can stand in a segment's file name."""
    return re.fullmatch(_WRITER, name) is not None


def is_kind(name: str) -> bool:
    """Whether a kind of records can stand in a segment's file name."""
    return re.fullmatch(_KIND, name) is not None


def segments(folder: Path) -> list[SegmentFile]:
    """Open and sealed segments, in order of writer and number."""
    matches = [_SEGMENT.fullmatch(entry.name) for entry in os.scandir(folder)]
    found = [SegmentFile(folder, m["writer"], int(m["number"]), m["kind"], m["state"]) for m in matches if m]
    return sorted(found, key=lambda file: (file.writer, file.number))


def kept_aside(folder: Path) -> list[SegmentFile]:
    """Segments that were set aside, and damaged tails that were cut off, by name."""
    matches = [_KEPT.fullmatch(entry.name) for entry in os.scandir(folder)]
    found = [SegmentFile(folder, m["writer"], int(m["number"]), m["kind"], m["state"]) for m in matches if m]
    return sorted(found, key=lambda file: file.path.name)


def lock_path(folder: Path, writer: str) -> Path:
    """The file on which a living writer holds a lock, which the system frees when the process dies."""
    return folder / f"{writer}.{LOCK}"


def take_lock(path: Path) -> int:
    """A descriptor that holds the lock, waiting for a reader that looks whether the writer lives."""
    while True:
        descriptor = _open_lock(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _still_there(path, descriptor):
            return descriptor
        os.close(descriptor)  # the reader removed the file after we opened it: a lock on it says nothing


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock, or None when a living process holds it."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False

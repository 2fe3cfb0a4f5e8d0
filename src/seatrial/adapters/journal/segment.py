"""One open segment file, on which a failed write leaves no trace."""

import contextlib
import errno
import os
from pathlib import Path

from seatrial.adapters.journal.files import OPEN, SEALED, SegmentFile, sync_folder
from seatrial.adapters.journal.frames import header


class OpenSegment:
    """A segment that is being written. Raises OSError as the system does.

    `spoilt` says that a failed write could not be taken back: nothing may be written behind it. `unsynced` says that
    a loss of power may take what was written.
    """

    def __init__(
        self, folder: Path, writer: str, number: int, kind: str, opened_at: float, *, sync_name: bool
    ) -> None:
        """Make the file; with `sync_name` its name survives a loss of power from now on."""
        self.file = SegmentFile(folder, writer, number, kind, OPEN)
        self.opened_at = opened_at
        self.size = 0
        self.spoilt = False
        self.closed = False
        self.unsynced = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.file.path, flags, 0o644)
        if not sync_name:
            return
        try:
            sync_folder(folder)
        except OSError:
            self._drop()
            raise

    def write(self, group: bytes, *, sync: bool) -> None:
        """Write a group whole, or not at all; with `sync` it survives a loss of power."""
        body = group if self.size else header() + group
        unsynced, self.unsynced = self.unsynced, True
        try:
            written = os.write(self._descriptor, body)
            if written != len(body):
                _write_all(self._descriptor, body, written)
            if sync:
                self.sync()
        except OSError:
            self.unsynced = unsynced
            self._take_back()
            raise
        self.size += len(body)

    def sync(self) -> None:
        """Make what was written survive a loss of power."""
        if self.unsynced:
            os.fdatasync(self._descriptor)
            self.unsynced = False

    def copied(self) -> int:
        """A second descriptor, to sync what is written so far without holding up writers; it counts as synced."""
        copy = os.dup(self._descriptor)
        self.unsynced = False
        return copy

    def seal(self) -> None:
        """Sync, rename and close, or remove a segment that holds nothing."""
        if self.size == 0:
            self._drop()
            return
        self.sync()
        self.file.path.rename(self.file.turned(SEALED).path)
        self.leave()
        sync_folder(self.file.folder)

    def leave(self) -> None:
        """Close the file and leave it as it is; a no-op when it is closed."""
        if not self.closed:
            self.closed = True
            os.close(self._descriptor)

    def _drop(self) -> None:
        self.leave()
        self.file.path.unlink(missing_ok=True)

    def _take_back(self) -> None:
        self.spoilt = True
        with contextlib.suppress(OSError):  # the first error is the one to tell; `spoilt` remembers this one
            os.ftruncate(self._descriptor, self.size)
            self.spoilt = False


def _write_all(descriptor: int, body: bytes, begun: int) -> None:
    rest = memoryview(body)[begun:]
    while rest:
        written = os.write(descriptor, rest)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[written:]

"""One process's end of the journal."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from seatrial.adapters.journal.files import fresh_writer_id, is_kind, is_writer, lock_path, take_lock
from seatrial.adapters.journal.frames import LARGEST, framed
from seatrial.adapters.journal.segment import OpenSegment
from seatrial.errors import JournalUnavailable

MEGABYTE = 1024 * 1024


class FileJournalWriter:
    """Appends groups of records to segment files, one open file per kind. Safe to use from several threads.

    `id` names its segments; behind a failed write that cannot be taken back, it goes on under another id.

    What survives: an acknowledged record survives the death of the process in either mode. With
    `fsync="batch"` it survives a loss of power too; with `fsync="interval"` a loss of power takes at most
    what was acknowledged in the last `seconds`, provided `tick` is called that often.

    A process that forks must not hold a writer: the child would hold the lock that says the writer lives.
    """

    def __init__(
        self,
        folder: Path | str,
        name: str = "writer",
        *,
        fsync: Literal["interval", "batch"] = "interval",
        seconds: float = 1.0,
        segment_bytes: int = 16 * MEGABYTE,
        segment_seconds: float = 60.0,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the journal under a writer id of its own; `elapsed` counts seconds from any moment."""
        if not is_writer(name):
            raise ValueError(f"writer name {name!r}: expected letters, digits, - and _ only")
        self._name, self.id = name, fresh_writer_id(name)
        self._folder = Path(folder)
        self._every_batch = fsync == "batch"
        self._sync_seconds = seconds
        self._segment_bytes, self._segment_seconds = segment_bytes, segment_seconds
        self._elapsed = elapsed
        self._synced_at = elapsed()
        self._segments: dict[str, OpenSegment] = {}
        self._spoilt = False
        self._numbers = 0
        self._guard = threading.Lock()
        with self._unavailable("opened"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock: int | None = take_lock(lock_path(self._folder, self.id))

    def append(self, kind: str, records: Sequence[bytes]) -> None:
        _check(kind, records)
        with self._guard, self._unavailable(f"written ({kind})"):
            self._refuse_when_closed()
            if records:
                self._write(kind, framed(records))

    def tick(self) -> None:
        """Seal what is old enough and sync what is due, so that quiet segments move on too.

        Call it on a timer, from a thread that may wait for the disk. Raises JournalUnavailable.
        """
        with self._unavailable("synced"):
            with self._guard:
                self._start_anew_if_spoilt()
                for kind in [kind for kind, segment in self._segments.items() if self._is_full(segment)]:
                    self._seal(kind)
                descriptors = self._due_descriptors()
            _sync_and_close(descriptors)

    def seal(self) -> None:
        with self._guard, self._unavailable("sealed"):
            for kind in list(self._segments):
                self._seal(kind)
            self._start_anew_if_spoilt()

    def close(self) -> None:
        try:
            self.seal()
        finally:
            self._let_go()

    def _write(self, kind: str, group: bytes) -> None:
        self._start_anew_if_spoilt()
        # Sealed before the write, never after: a failure here must mean that the group is not written.
        if (segment := self._segments.get(kind)) and self._is_full(segment):
            self._seal(kind)
        segment = self._segments.get(kind) or self._open(kind)
        due = self._every_batch or self._sync_is_due()
        try:
            segment.write(group, sync=due)
        finally:
            if segment.spoilt:
                self._spoilt = True
                self._segments.pop(kind).leave()
        if due:
            self._sync_others(segment)

    def _start_anew_if_spoilt(self) -> None:
        """Go on under a fresh id: the reader takes the old one for dead, and seals what could not be taken back.

        Under the old id that segment would stay open as long as this process lives, and be overtaken by later ones.
        """
        if not self._spoilt or self._lock is None:
            return
        fresh = fresh_writer_id(self._name)
        lock = take_lock(lock_path(self._folder, fresh))
        for kind in list(self._segments):
            with contextlib.suppress(OSError):  # left as it is, whole, it is sealed by the reader
                self._seal(kind)
            if segment := self._segments.pop(kind, None):
                segment.leave()
        os.close(self._lock)
        self.id, self._lock, self._spoilt = fresh, lock, False

    def _sync_others(self, written: OpenSegment) -> None:
        """Sync the other kinds on the same interval; each batch syncs its own file only."""
        if not self._every_batch:
            self._synced_at = self._elapsed()
            for segment in self._segments.values():
                if segment is not written:
                    segment.sync()

    def _open(self, kind: str) -> OpenSegment:
        self._numbers += 1
        segment = OpenSegment(self._folder, self.id, self._numbers, kind, self._elapsed())
        self._segments[kind] = segment
        return segment

    def _seal(self, kind: str) -> None:
        segment = self._segments[kind]
        try:
            segment.seal()
        finally:
            if segment.closed:
                del self._segments[kind]

    def _is_full(self, segment: OpenSegment) -> bool:
        aged = self._elapsed() - segment.opened_at >= self._segment_seconds
        return segment.size >= self._segment_bytes or aged

    def _sync_is_due(self) -> bool:
        return self._elapsed() - self._synced_at >= self._sync_seconds

    def _due_descriptors(self) -> list[int]:
        if self._every_batch or not self._sync_is_due():
            return []
        self._synced_at = self._elapsed()
        found = [segment.second_descriptor() for segment in self._segments.values()]
        return [descriptor for descriptor in found if descriptor is not None]

    def _refuse_when_closed(self) -> None:
        if self._lock is None:
            raise JournalUnavailable(
                f"journal writer {self.id}: it is closed, expected an open one; open another"
            )

    def _let_go(self) -> None:
        with self._guard:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    @contextlib.contextmanager
    def _unavailable(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JournalUnavailable(
                f"journal {self._folder}: it cannot be {done}: {error.strerror or error}; "
                "free space or mend the disk, then try again"
            ) from error


def _check(kind: str, records: Sequence[bytes]) -> None:
    if not is_kind(kind):
        raise ValueError(
            f"kind of records {kind!r}: expected small letters, digits and _, beginning with a letter"
        )
    if too_long := [len(record) for record in records if len(record) > LARGEST]:
        raise ValueError(f"{kind}: a record of {too_long[0]} bytes, expected at most {LARGEST}")


def _sync_and_close(descriptors: list[int]) -> None:
    try:
        for descriptor in descriptors:
            os.fdatasync(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)

"""One process's end of the journal."""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from seatrial.adapters.journal.files import (
    fresh_writer_id,
    is_kind,
    is_writer,
    lock_path,
    sync_folder,
    take_lock,
)
from seatrial.adapters.journal.frames import framed
from seatrial.adapters.journal.segment import OpenSegment
from seatrial.errors import JournalUnavailable

MEGABYTE = 1024 * 1024
_MOST_FULL = 4


class FileJournalWriter:
    """Appends groups of records to segment files, one open file per kind. Safe to use from several threads.

    `id` names its segments; behind a failed write that cannot be taken back, it goes on under another id.

    What survives: an acknowledged record survives the death of the process in either mode. With `fsync="batch"` it
    survives a loss of power too. With `fsync` a number of seconds, a loss of power takes at most what was acknowledged
    in the last so many seconds, and the time between two calls of `tick`; `append` then never waits for the disk.

    Somebody must call `tick` on a timer: it syncs, and seals what is full or old. Where nobody does, `append` seals
    when some full segments have piled up.

    A process that forks must not hold a writer: the child would hold the lock that says the writer lives.
    """

    def __init__(
        self,
        folder: Path | str,
        name: str = "writer",
        *,
        fsync: Literal["batch"] | float = 1.0,
        segment_bytes: int = 16 * MEGABYTE,
        segment_seconds: float = 60.0,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the journal under a writer id of its own; `elapsed` counts seconds from any moment."""
        if not is_writer(name):
            raise ValueError(f"writer name {name!r}: expected letters, digits, - and _ only")
        self.fsync = fsync  # may be set anew at any time
        self._name, self.id = name, fresh_writer_id(name)
        self._folder = Path(folder)
        self._segment_bytes, self._segment_seconds = segment_bytes, segment_seconds
        self._elapsed = elapsed
        self._synced_at = elapsed()
        self._segments: dict[str, OpenSegment] = {}
        self._full: deque[OpenSegment] = deque()
        self._has_fresh_names = self._spoilt = False
        self._numbers = 0
        # `_guard` is held while a group is written, `_sealing` while the disk is waited for; the latter is taken first.
        self._guard, self._sealing = threading.Lock(), threading.Lock()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock: int | None = take_lock(lock_path(self._folder, self.id))
        except OSError as error:
            raise self._unavailable("opened", error) from error

    def append(self, kind: str, records: Sequence[bytes]) -> None:
        if not records:
            return
        group = framed(records)
        try:
            if self._spoilt or len(self._full) > _MOST_FULL:
                self._tidy_up()
            with self._guard:
                self._write(kind, group)
        except OSError as error:
            raise self._unavailable(f"written ({kind})", error) from error

    def tick(self) -> None:
        """Seal what is full or old and sync what is due, so that quiet segments move on too.

        Call it on a timer, from a thread that may wait for the disk: appends go on meanwhile. Raises
        JournalUnavailable; the next call tries again.
        """
        try:
            self._start_anew_if_spoilt()
            with self._sealing:
                with self._guard:
                    self._set_apart([kind for kind, one in self._segments.items() if self._is_full(one)])
                self._sync_if_due()
                self._seal_full()
        except OSError as error:
            raise self._unavailable("synced", error) from error

    def seal(self) -> None:
        try:
            with self._sealing:
                with self._guard:
                    self._set_apart(list(self._segments))
                self._seal_full()
            self._start_anew_if_spoilt()
        except OSError as error:
            raise self._unavailable("sealed", error) from error

    def close(self) -> None:
        try:
            self.seal()
        finally:
            self._let_go()

    def _write(self, kind: str, group: bytes) -> None:
        segment = self._segments.get(kind)
        if segment is None or self._is_full(segment):
            segment = self._next(kind)
        try:
            segment.write(group, sync=self.fsync == "batch")
        finally:
            if segment.spoilt:
                self._spoilt = True
                self._segments.pop(kind).leave()

    def _next(self, kind: str) -> OpenSegment:
        """A fresh segment to write to; the one before waits to be sealed. A failure leaves everything as it was."""
        if self._lock is None:
            raise JournalUnavailable(
                f"journal writer {self.id}: it is closed, expected an open one; open another"
            )
        if not is_kind(kind):
            raise ValueError(
                f"kind of records {kind!r}: expected small letters, digits and _, beginning with a letter"
            )
        self._numbers += 1
        in_batches = self.fsync == "batch"
        fresh = OpenSegment(self._folder, self.id, self._numbers, kind, self._elapsed(), sync_name=in_batches)
        self._has_fresh_names |= not in_batches
        self._set_apart([kind] if kind in self._segments else [])
        self._segments[kind] = fresh
        return fresh

    def _set_apart(self, kinds: Sequence[str]) -> None:
        self._full.extend(self._segments.pop(kind) for kind in kinds)

    def _tidy_up(self) -> None:
        """What a tick does when one comes; here nobody else did."""
        self._start_anew_if_spoilt()
        with self._sealing:
            self._seal_full()

    def _seal_full(self) -> None:
        for _ in range(len(self._full)):  # not those that become full meanwhile
            segment = self._full[0]
            try:
                segment.seal()
            finally:
                if segment.closed:
                    self._full.popleft()

    def _start_anew_if_spoilt(self) -> None:
        """Go on under a fresh id: the reader takes the old one for dead, and seals what could not be taken back.

        Under the old id that segment would stay open as long as this process lives, and be overtaken by later ones.
        """
        if self._spoilt:
            with self._sealing, self._guard:
                self._start_anew()

    def _start_anew(self) -> None:
        if self._lock is None or not self._spoilt:
            return
        fresh = fresh_writer_id(self._name)
        lock = take_lock(lock_path(self._folder, fresh))
        for segment in (*self._full, *self._segments.values()):
            with contextlib.suppress(OSError):  # left as it is, whole, it is sealed by the reader
                segment.seal()
            segment.leave()
        self._full.clear()
        self._segments.clear()
        os.close(self._lock)
        self.id, self._lock, self._spoilt = fresh, lock, False

    def _sync_if_due(self) -> None:
        fsync = self.fsync  # may be set anew meanwhile
        if fsync != "batch" and self._elapsed() - self._synced_at < fsync:
            return
        self._synced_at = self._elapsed()
        unsynced: list[tuple[OpenSegment, int]] = []
        fresh_names = False
        try:
            with self._guard:
                # One by one: what was copied before one of them fails is closed below.
                unsynced.extend((one, one.copied()) for one in self._segments.values() if one.unsynced)
                fresh_names, self._has_fresh_names = self._has_fresh_names, False
            while unsynced:
                os.fdatasync(unsynced[-1][1])
                os.close(unsynced.pop()[1])
            if fresh_names:
                sync_folder(self._folder)
        except OSError:
            self._has_fresh_names = self._has_fresh_names or fresh_names
            for segment, descriptor in unsynced:
                segment.unsynced = True
                os.close(descriptor)
            raise

    def _is_full(self, segment: OpenSegment) -> bool:
        aged = self._elapsed() - segment.opened_at >= self._segment_seconds
        return aged or segment.size >= self._segment_bytes

    def _let_go(self) -> None:
        with self._guard:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _unavailable(self, done: str, error: OSError) -> JournalUnavailable:
        return JournalUnavailable(
            f"journal {self._folder}: it cannot be {done}: {error.strerror or error}; "
            "free space or mend the disk, then try again"
        )

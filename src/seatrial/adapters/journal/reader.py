"""The control plane's end of the journal: sealed segments, and those that dead writers left."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from seatrial.adapters.journal.files import (
    ASIDE,
    CUT,
    LOCK,
    OPEN,
    REASON,
    SEALED,
    SegmentFile,
    kept_aside,
    lock_path,
    segments,
    sync_folder,
    try_lock,
)
from seatrial.adapters.journal.frames import Scan, framed, header, reads_again, scan
from seatrial.errors import IntegrityBroken
from seatrial.ports.journal import Segment


class FileJournalReader:
    """Reads a journal's folder. It never touches the open segment of a living writer.

    What it cuts off a damaged tail it keeps beside, in a `.cut` file that nobody removes. A segment that is set
    aside is an `.aside` file with a `.reason` beside it; renamed to `.sealed`, it is handed out again.
    """

    def __init__(self, folder: Path | str, *, at_once_bytes: int = 256 * 1024 * 1024) -> None:
        """Read at most about `at_once_bytes` per call of `sealed`; the next call goes on after `discard`."""
        self._folder = Path(folder)
        self._at_once_bytes = at_once_bytes

    def sealed(self) -> list[Segment]:
        if not self._folder.is_dir():
            return []
        for writer in self._writers():
            self._recover_if_dead(writer)
        return [_read(file) for file in self._next_files()]

    def discard(self, segment: Segment) -> None:
        self._file(segment).path.unlink(missing_ok=True)

    def aside(self, segment: Segment, reason: str) -> None:
        file = self._file(segment)
        if not file.path.exists():
            return
        file.turned(REASON).path.write_text(f"{reason}\n")
        file.path.rename(file.turned(ASIDE).path)
        sync_folder(file.folder)

    def being_written(self) -> frozenset[str]:
        if not self._folder.is_dir():
            return frozenset()
        for writer in self._writers():
            self._recover_if_dead(writer)
        return frozenset(file.path.name for file in segments(self._folder) if file.state == OPEN)

    def forget(self, rewrite: Callable[[bytes], bytes | None]) -> int:
        if not self._folder.is_dir():
            return 0
        return sum(_rewrite(file, rewrite) for file in kept_aside(self._folder))

    def _writers(self) -> list[str]:
        locks = {path.stem for path in self._folder.glob(f"*.{LOCK}")}
        return sorted(locks | {file.writer for file in segments(self._folder) if file.state == OPEN})

    def _recover_if_dead(self, writer: str) -> None:
        with _held(lock_path(self._folder, writer)) as is_dead:
            if is_dead:
                self._recover(writer)

    def _recover(self, writer: str) -> None:
        left = [file for file in segments(self._folder) if file.writer == writer]
        for file in left:
            if file.state == OPEN:
                _seal_left_over(file)
        if not left:
            lock_path(self._folder, writer).unlink(missing_ok=True)

    def _next_files(self) -> list[SegmentFile]:
        taken: list[SegmentFile] = []
        total = 0
        for file in segments(self._folder):
            if file.state == SEALED and (not taken or total < self._at_once_bytes):
                taken.append(file)
                total += file.path.stat().st_size
        return taken

    def _file(self, segment: Segment) -> SegmentFile:
        return SegmentFile(self._folder, segment.writer, segment.number, segment.kind, SEALED)


def _rewrite(file: SegmentFile, rewrite: Callable[[bytes], bytes | None]) -> int:
    """How much was changed in a segment that was set aside, or a damaged tail."""
    data = file.path.read_bytes()
    found = scan(data, file.path.name) if file.state == ASIDE else Scan([], 0, len(data))
    tail = data[found.good :]
    records = [rewrite(record) for record in found.records]
    left = (rewrite(tail) or b"") if tail else tail
    changed = sum(new != old for new, old in zip(records, found.records, strict=True)) + (left != tail)
    if changed:
        kept = [record for record in records if record is not None]
        _replace(file, (header() + framed(kept) if kept else b"") + left)
    return changed


def _replace(file: SegmentFile, data: bytes) -> None:
    """The file with other bytes, or gone when there are none, together with the reason that it was set aside for."""
    reason = file.turned(REASON).path
    if data:
        fresh = file.path.with_name(f"{file.path.name}.fresh")
        fresh.write_bytes(data)
        _sync(fresh)
        fresh.rename(file.path)
    else:
        file.path.unlink()
        reason.unlink(missing_ok=True)
    sync_folder(file.folder)


def _seal_left_over(file: SegmentFile) -> None:
    """Cut what does not read, whatever stands behind it: blocks reach the disk in any order."""
    data = file.path.read_bytes()
    if not data:
        file.path.unlink()
        return
    _cut(file, data, scan(data, file.path.name))
    _sync(file.path)
    file.path.rename(file.turned(SEALED).path)
    sync_folder(file.folder)


def _read(file: SegmentFile) -> Segment:
    data = file.path.read_bytes()
    found = scan(data, file.path.name)
    if found.good < found.size:
        _refuse_broken_middle(file, data, found)
        _cut(file, data, found)
    return Segment(
        writer=file.writer,
        number=file.number,
        kind=file.kind,
        records=found.records,
        cut_bytes=_cut_bytes(file),
    )


def _refuse_broken_middle(file: SegmentFile, data: bytes, found: Scan) -> None:
    if (again := reads_again(data, found.good)) is not None:
        raise IntegrityBroken(
            f"journal segment {file.path}: the record at byte {found.good} does not match its checksum, "
            f"and whole records follow from byte {again}; the file was changed after it was sealed: "
            "restore it from a backup, or move it out of the journal to go on without its records"
        )


def _cut(file: SegmentFile, data: bytes, found: Scan) -> None:
    """Keep what does not read beside the segment, then cut it off; repeated after a crash, it does the same."""
    if found.good == found.size:
        return
    aside = file.turned(CUT).path
    aside.write_bytes(data[found.good :])
    _sync(aside)
    os.truncate(file.path, found.good)


def _cut_bytes(file: SegmentFile) -> int:
    with contextlib.suppress(FileNotFoundError):
        return file.turned(CUT).path.stat().st_size
    return 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether the lock could be had, which it is for the block: its writer is dead then."""
    descriptor = try_lock(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)

"""A journal in memory, both ends."""

from collections.abc import Callable, Sequence

import msgspec

from seatrial.errors import JournalUnavailable
from seatrial.ports.journal import Segment


class MemoryJournalWriter:
    """One writer. A test may set `fails`, or let it `die` with its segments open."""

    def __init__(self, journal: "MemoryJournal", id: str) -> None:
        self.id = id
        self.fails = False
        self.alive = True
        self.open: dict[str, tuple[int, list[bytes]]] = {}
        self._journal = journal
        self._numbers = 0

    def append(self, kind: str, records: Sequence[bytes]) -> None:
        if self.fails or not self.alive:
            raise JournalUnavailable(f"journal writer {self.id}: it cannot write")
        if not records:
            return
        if kind not in self.open:
            self._numbers += 1
            self.open[kind] = (self._numbers, [])
        self.open[kind][1].extend(bytes(record) for record in records)

    def tick(self) -> None:
        """Nothing is due in memory."""

    def seal(self) -> None:
        for kind, (number, records) in self.open.items():
            self._journal.keep(Segment(writer=self.id, number=number, kind=kind, records=tuple(records)))
        self.open.clear()

    def close(self) -> None:
        self.seal()
        self.alive = False

    def die(self) -> None:
        """End as a killed process does, without sealing."""
        self.alive = False


class MemoryJournal:
    """The reader's end, and the place to get writers from."""

    def __init__(self) -> None:
        self.segments: dict[tuple[str, int], Segment] = {}
        self.kept_aside: dict[tuple[str, int], tuple[Segment, str]] = {}
        self.writers: list[MemoryJournalWriter] = []

    def writer(self, name: str = "writer") -> MemoryJournalWriter:
        """A new living writer."""
        self.writers.append(MemoryJournalWriter(self, f"{name}-{len(self.writers):04d}"))
        return self.writers[-1]

    def keep(self, segment: Segment) -> None:
        """Take a sealed segment in."""
        self.segments[segment.writer, segment.number] = segment

    def sealed(self) -> list[Segment]:
        for writer in self.writers:
            if not writer.alive:
                writer.seal()
        return [self.segments[name] for name in sorted(self.segments)]

    def discard(self, segment: Segment) -> None:
        self.segments.pop((segment.writer, segment.number), None)

    def aside(self, segment: Segment, reason: str) -> None:
        if found := self.segments.pop((segment.writer, segment.number), None):
            self.kept_aside[segment.writer, segment.number] = (found, reason)

    def being_written(self) -> frozenset[str]:
        alive = [writer for writer in self.writers if writer.alive]
        return frozenset(
            f"{writer.id}.{number}" for writer in alive for number, records in writer.open.values() if records
        )

    def forget(self, rewrite: Callable[[bytes], bytes | None]) -> int:
        changed = 0
        for name, (segment, reason) in list(self.kept_aside.items()):
            records = [rewrite(record) for record in segment.records]
            changed += sum(new != old for new, old in zip(records, segment.records, strict=True))
            kept = tuple(record for record in records if record is not None)
            self.kept_aside[name] = (msgspec.structs.replace(segment, records=kept), reason)
            if not kept and segment.records:
                del self.kept_aside[name]
        return changed

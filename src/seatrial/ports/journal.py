"""The durable journal between the data plane and the tables."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed segment: `writer` and `number` name it for ever; `records` are its whole records, in order.

    `cut_bytes` counts what was torn, zero-filled or flipped at its tail and cut off.
    """

    writer: str
    number: int
    kind: str
    records: Sequence[bytes]
    cut_bytes: int = 0


class JournalWriter(Protocol):
    """One process's end of the journal. Not shared between processes."""

    def append(self, kind: str, records: Sequence[bytes]) -> None:
        """Write records of one kind (predictions, outcomes) as one group, before anything is acknowledged.

        Raises JournalUnavailable when they cannot be written; none of them then counts as written.
        """
        ...

    def seal(self) -> None:
        """Seal the open segments, so that they can be drained; a no-op when they are empty."""
        ...

    def close(self) -> None:
        """Seal and free."""
        ...


class JournalReader(Protocol):
    """The control plane's end of the journal."""

    def sealed(self) -> list[Segment]:
        """Sealed segments in order of writer and number, those of dead writers recovered and sealed first."""
        ...

    def discard(self, segment: Segment) -> None:
        """Remove a segment after it was handed over; a no-op when it is gone."""
        ...

    def aside(self, segment: Segment, reason: str) -> None:
        """Keep a segment that cannot be handed over, with the reason, and hand it out no more.

        A no-op when it is gone.
        """
        ...

    def being_written(self) -> frozenset[str]:
        """Names of the segments that living writers have open: `sealed` does not hand them out yet."""
        ...

    def forget(self, rewrite: Callable[[bytes], bytes | None]) -> int:
        """Rewrite for good what was kept aside: each record and each damaged tail; how many changed.

        What `rewrite` gives takes the place of the bytes it was given; where it gives None, they go. For erasure
        alone; sealed segments are drained first.
        """
        ...

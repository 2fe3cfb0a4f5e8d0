"""The journal as serving sees it: counted, and known to be out of order when it is."""

import logging
from collections.abc import Callable, Sequence

from seatrial.errors import JournalUnavailable
from seatrial.ports.journal import JournalWriter
from seatrial.serve.counters import Counters

# Nobody asks a server that is not ready, so nobody would find out that its journal works again: it is tried anew.
FORGIVEN_SECONDS = 5.0
_log = logging.getLogger(__name__)


class WatchedJournal:
    """A writer whose appends are counted."""

    def __init__(self, inner: JournalWriter, counters: Counters, elapsed: Callable[[], float]) -> None:
        self._inner, self._counters, self._elapsed = inner, counters, elapsed
        # By kind: a small outcome may still fit on a disk that has no room for predictions.
        self._failed_at: dict[str, float] = {}

    @property
    def failing(self) -> bool:
        """Whether the last append failed, and that a short time ago."""
        latest = max(self._failed_at.values(), default=None)
        return latest is not None and self._elapsed() - latest < FORGIVEN_SECONDS

    def append(self, kind: str, records: Sequence[bytes]) -> None:
        """As the writer does."""
        try:
            self._inner.append(kind, records)
        except JournalUnavailable as error:
            if kind not in self._failed_at:
                _log.error("%s cannot be recorded: %s", kind, error)
            self._failed_at[kind] = self._elapsed()
            self._counters.journal_failures[kind] += 1
            raise
        if self._failed_at and self._failed_at.pop(kind, None) is not None:
            _log.warning("%s are recorded again", kind)
        self._counters.journal_records[kind] += len(records)

    def seal(self) -> None:
        """As the writer does."""
        self._inner.seal()

    def close(self) -> None:
        """As the writer does."""
        self._inner.close()

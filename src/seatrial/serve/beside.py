"""Work that nobody waits for: shadows are scored here, and never slow an answer."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from seatrial.serve.counters import Counters

Job = Callable[[], None]
_log = logging.getLogger(__name__)


class Beside(Protocol):
    """Runs jobs some time."""

    def run(self, job: Job, release: str, rows: int) -> None:
        """Take a job over `rows` rows of a release."""
        ...

    def close(self) -> None:
        """Finish what was taken."""
        ...


class AtOnce:
    """Runs a job before it returns: what a rehearsal needs, which must come out the same every time."""

    def run(self, job: Job, release: str, rows: int) -> None:
        """Run it now."""
        del release, rows
        job()

    def close(self) -> None:
        """A no-op."""


class InThread:
    """Runs jobs one after another in a thread of its own; what it cannot keep up with is left out and counted."""

    def __init__(self, counters: Counters, *, capacity_rows: int = 8192) -> None:
        self._counters = counters
        self._capacity_rows = capacity_rows
        self._waiting = 0
        self._closed = False
        self._jobs: SimpleQueue[tuple[Job, int] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, job: Job, release: str, rows: int) -> None:
        """Take a job, unless too many rows wait. After the end, what is still to be done is done at once."""
        if self._closed:
            job()
            return
        if rows and self._waiting and self._waiting + rows > self._capacity_rows:
            self._counters.shadows_left_out[release] += rows
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="seatrial-beside", daemon=True)
            self._thread.start()
        self._waiting += rows
        self._jobs.put((job, rows))

    def close(self) -> None:
        """Finish what was taken."""
        self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(5.0)
            self._thread = None

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not None:
            job, rows = taken
            try:
                job()
            except Exception:  # noqa: BLE001 - one job that fails must not end the others
                _log.exception("rows could not be judged beside their answers")
            finally:
                self._waiting -= rows

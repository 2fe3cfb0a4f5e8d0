"""The process above the workers: it tells them that the server is going down before it ends them."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from granian import Granian

from seatrial.web.scoring.workers import DRAIN_SIGNAL, END_SIGNAL

_TOLD_EVERY = 0.25
_log = logging.getLogger(__name__)


class Supervisor(Granian):  # type: ignore[misc,valid-type]  # chosen by the interpreter when it is imported
    """Granian for workers that are a RsgiApp, with a delay between the signal to end and the end.

    The load balancer in front finds out meanwhile that this server is not ready, and sends requests elsewhere. A second
    signal ends the delay.
    """

    def __init__(self, *arguments: Any, drain_seconds: float, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._drain_seconds = drain_seconds

    def serve(self, *arguments: Any, **more: Any) -> None:
        """Serve until a signal ends it."""
        # Workers inherit this: one that has just begun must not die of the signals that others understand.
        for told in (DRAIN_SIGNAL, END_SIGNAL):
            signal.signal(told, signal.SIG_IGN)
        super().serve(*arguments, **more)

    def shutdown(self, exit_code: int = 0) -> None:
        """End, after the delay when a signal asked for it."""
        if self.interrupt_signal:
            self._drain()
        ended = threading.Event()
        for worker in self.wrks:
            worker.terminate = partial(_end, worker)
        insisting = threading.Thread(target=self._insist, args=(ended,), name="seatrial-end", daemon=True)
        insisting.start()
        try:
            super().shutdown(exit_code)
        finally:
            ended.set()

    def _respawn_workers(self, workers: Sequence[int], *arguments: Any, **more: Any) -> None:
        """Start workers in the places of those that ended, and say so."""
        gone = {place: self.wrks[place].inner for place in workers}
        ends = {place: _ended(inner.exitcode) for place, inner in gone.items() if inner.exitcode is not None}
        super()._respawn_workers(workers, *arguments, **more)
        for place, how in ends.items():
            now = self.wrks[place].inner.pid
            _log.warning("worker %d ended %s; started again as %d", gone[place].pid, how, now)

    def _drain(self) -> None:
        self.interrupt_signal = False
        until = time.monotonic() + self._drain_seconds
        while (left := until - time.monotonic()) > 0 and not self.interrupt_signal:
            for worker in self.wrks:
                _tell(worker, DRAIN_SIGNAL)
            # Workers that die set it too, so it says only that it is time to look again.
            self.main_loop_interrupt.clear()
            self.main_loop_interrupt.wait(min(left, _TOLD_EVERY))

    def _insist(self, ended: threading.Event) -> None:
        """Tell the workers again: one that has just begun did not understand."""
        workers = list(self.wrks)
        while not ended.wait(_TOLD_EVERY):
            for worker in workers:
                _tell(worker, END_SIGNAL)


def _ended(status: int) -> str:
    return f"by signal {-status}" if status < 0 else f"with status {status}"


def _end(worker: Any) -> None:
    """What granian does to end a worker, with our signal."""
    worker.interrupt_by_parent = True
    _tell(worker, END_SIGNAL)


def _tell(worker: Any, told: signal.Signals) -> None:
    if worker.is_alive():
        with contextlib.suppress(ProcessLookupError):  # it died meanwhile
            os.kill(worker.inner.pid, told)

"""The control plane's rhythm: one round of the loop after another, until told to stop."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from threading import Event

from seatrial.cycle.reconcile import Reconciler, Tick
from seatrial.errors import SeatrialError

_log = logging.getLogger(__name__)


def run_loop(reconciler: Reconciler, stop: Event, *, seconds: float, on_tick: Callable[[Tick], None]) -> None:
    """Tick every `seconds` until `stop` is set; a round that fails retryably is tried again in the next one."""
    while not stop.is_set():
        try:
            on_tick(reconciler.tick())
        except SeatrialError as error:
            if not error.retryable:
                raise
            _log.warning("a round of the loop failed and is tried again: %s", error)
            # What is remembered may be out of step with what is stored.
            reconciler.settlement = None
        stop.wait(seconds)
    reconciler.release_lease()


@contextlib.contextmanager
def one_turn(reconciler: Reconciler) -> Iterator[Reconciler]:
    """The reconciler, for a command that ends: its lease is free again afterwards, so that nobody waits for it."""
    try:
        yield reconciler
    finally:
        reconciler.release_lease()

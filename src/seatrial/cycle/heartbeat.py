"""A lease kept while work goes on: leases can then be short, and a killed worker's is soon free again."""

import contextlib
import logging
from collections.abc import Iterator
from threading import Event, Thread

from seatrial.errors import LeaseLost, SeatrialError
from seatrial.facts.job import Lease
from seatrial.ports.metadata import Metadata

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def kept(metadata: Metadata, lease: Lease, seconds: float) -> Iterator[None]:
    """While the block runs, the lease is renewed from another thread, three times before it would expire."""
    done = Event()
    heart = Thread(target=_beat, args=(metadata, lease, seconds, done), name="seatrial-lease", daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()


def _beat(metadata: Metadata, lease: Lease, seconds: float, done: Event) -> None:
    while not done.wait(seconds / 3):
        try:
            metadata.renew(lease, seconds)
        except LeaseLost:
            return  # what the block commits from here on is refused by its guard
        except SeatrialError as error:
            _log.warning("lease %s could not be renewed and is tried again: %s", lease.name, error)

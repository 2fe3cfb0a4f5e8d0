"""The loop stands back while something else must be alone with what a product stores."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event

from seatrial.cycle.heartbeat import kept
from seatrial.errors import Conflict
from seatrial.facts.job import Lease
from seatrial.ports.metadata import Metadata

_SECONDS = 30.0
# A killed loop's lease runs out in 30 seconds, and a round of a living one may take longer.
PATIENCE = 120.0
_PAUSE = 0.2


def must_stand_back(metadata: Metadata, product: str, holder: str) -> bool:
    """Whether someone waits to be alone with the product, or is: the loop then gives its lease back until later."""
    lease = metadata.acquire(_asking(product), holder, _SECONDS)
    if lease is None:
        return True
    metadata.release(lease)
    return False


@contextmanager
def alone(metadata: Metadata, product: str, holder: str, *, patience: float = PATIENCE) -> Iterator[Lease]:
    """The loop's lease for the block, once the loop has given it back and no source is read.

    Raises Conflict after `patience` seconds.
    """
    with ExitStack() as held:
        _held(held, metadata, _asking(product), holder, patience)
        loop = _held(held, metadata, f"loop:{product}", holder, patience)
        _held(held, metadata, reading(product), holder, patience)
        yield loop


def reading(product: str) -> str:
    """The name of the lease under which the product's sources are read."""
    return f"data:{product}"


def _held(held: ExitStack, metadata: Metadata, name: str, holder: str, patience: float) -> Lease:
    pause, waited = Event(), 0.0
    while (lease := metadata.acquire(name, holder, _SECONDS)) is None:
        if waited >= patience:
            raise Conflict(
                f"{name}: another worker did not give way within {patience:.0f} seconds; it may be training: "
                "try again later, or stop `seatrial up`"
            )
        pause.wait(_PAUSE)
        waited += _PAUSE
    held.callback(metadata.release, lease)
    held.enter_context(kept(metadata, lease, _SECONDS))
    return lease


def _asking(product: str) -> str:
    return f"alone:{product}"

"""Canaries that a server put out of its traffic by itself are rolled back for all servers."""

from collections.abc import Iterable

import msgspec

from seatrial.facts.ejection import Ejection
from seatrial.facts.job import Lease
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.release.phases import challenger, roll_back


def heed(
    workspace: Workspace, product: Product, ejections: Iterable[Ejection], *, lease: Lease | None
) -> None:
    """Roll back the challenger that was ejected, if it still is on trial; a repeat changes nothing."""
    found = {ejection.release: ejection for ejection in ejections}
    with workspace.metadata.begin() as transaction:
        tried = challenger(transaction, product.name)
        if tried is None or tried.id not in found:
            return
        if lease is not None:
            transaction.guard(lease)
        ejection = found[tried.id]
        why = f"{ejection.reason}: {_words(ejection)}; a server put it out of the traffic at once"
        numbers = msgspec.to_builtins(ejection)
        roll_back(transaction, tried, now=workspace.clock.now(), why=why, numbers=numbers)


def _words(seen: Ejection) -> str:
    return (
        f"{seen.failed} of {seen.rows} rows had no score from it, and a call took {seen.seconds * 1000:.1f} ms "
        f"where the live release took {seen.live_seconds * 1000:.1f} ms"
    )

"""The phases of a release: every change of phase is one transaction with its logbook entry."""

from datetime import datetime
from typing import Any

import msgspec

from seatrial.errors import Conflict, NotFound
from seatrial.facts.release import Bundle, GateResult, Phase, Release
from seatrial.ports.metadata import Transaction

OPEN = (Phase.SHADOW, Phase.CANARY)


def live_release(transaction: Transaction, product: str) -> Release | None:
    """The release in the live phase, or None."""
    return next((r for r in transaction.all(Release, product) if r.phase is Phase.LIVE), None)


def challenger(transaction: Transaction, product: str) -> Release | None:
    """The release in shadow or canary, or None; there is at most one."""
    return next((r for r in transaction.all(Release, product) if r.phase in OPEN), None)


def open_candidate(
    transaction: Transaction, bundle: Bundle, gates: tuple[GateResult, ...], *, now: datetime, why: str
) -> Release:
    """A new release in the candidate phase, with the gates' evidence."""
    number = len(transaction.all(Release, bundle.product)) + 1
    release = Release(
        id=f"r{number:04d}",
        product=bundle.product,
        bundle=bundle,
        phase=Phase.CANDIDATE,
        created_at=now,
        changed_at=now,
        gates=gates,
        why=why,
    )
    transaction.put(release)
    body = {"bundle": bundle.id, "model": bundle.model, "gates": msgspec.to_builtins(gates)}
    _log(transaction, release, why, body)
    return release


def to_trial(
    transaction: Transaction,
    release: Release,
    phase: Phase,
    share: float,
    *,
    now: datetime,
    why: str,
    numbers: dict[str, Any] | None = None,
) -> Release:
    """The release in shadow, or in canary at `share`. Raises Conflict when another one is on trial."""
    other = challenger(transaction, release.product)
    if other is not None and other.id != release.id:
        raise Conflict(f"release {other.id} of {release.product} is on trial; only one can be at a time")
    moved = msgspec.structs.replace(release, phase=phase, share=share, changed_at=now, why=why)
    return _store(transaction, moved, why, {"share": share, **(numbers or {})})


def to_live(
    transaction: Transaction,
    release: Release,
    *,
    now: datetime,
    why: str,
    actor: str = "seatrial",
    numbers: dict[str, Any] | None = None,
) -> Release:
    """The release live; the one that was live before is retired and remembered as `previous`."""
    before = live_release(transaction, release.product)
    if before is not None and before.id != release.id:
        retired = msgspec.structs.replace(before, phase=Phase.RETIRED, changed_at=now)
        _store(transaction, retired, f"{release.id} took its place", {}, actor)
    promoted = msgspec.structs.replace(
        release,
        phase=Phase.LIVE,
        share=1.0,
        changed_at=now,
        live_from=now,
        why=why,
        previous=before.id if before is not None and before.id != release.id else release.previous,
    )
    return _store(transaction, promoted, why, numbers or {}, actor)


def roll_back(
    transaction: Transaction,
    release: Release,
    *,
    now: datetime,
    why: str,
    actor: str = "seatrial",
    numbers: dict[str, Any] | None = None,
) -> Release:
    """The release rolled back; when it was live, its predecessor is live again and is returned instead.

    Raises NotFound when a live release has no predecessor to go back to.
    """
    was_live = release.phase is Phase.LIVE
    previous = transaction.get(Release, release.product, release.previous) if release.previous else None
    if was_live and previous is None:
        raise NotFound(f"release {release.id} of {release.product} has no predecessor to roll back to")
    gone = msgspec.structs.replace(release, phase=Phase.ROLLED_BACK, share=0.0, changed_at=now, why=why)
    _store(transaction, gone, why, numbers or {}, actor)
    if not was_live or previous is None:
        return gone
    again = msgspec.structs.replace(previous, phase=Phase.LIVE, share=1.0, changed_at=now, live_from=now)
    return _store(transaction, again, f"rolled back to, from {release.id}: {why}", {}, actor)


def withdraw(transaction: Transaction, release: Release, *, now: datetime, why: str) -> Release:
    """A candidate that its gates refused, retired without ever having seen traffic."""
    return _store(
        transaction, msgspec.structs.replace(release, phase=Phase.RETIRED, changed_at=now, why=why), why, {}
    )


def _store(
    transaction: Transaction, release: Release, why: str, numbers: dict[str, Any], actor: str = "seatrial"
) -> Release:
    transaction.put(release)
    _log(transaction, release, why, {"numbers": numbers, "share": release.share}, actor)
    return release


def _log(
    transaction: Transaction, release: Release, why: str, body: dict[str, Any], actor: str = "seatrial"
) -> None:
    transaction.log(
        product=release.product,
        kind=f"release {release.phase.value}",
        subject=release.id,
        body={"why": why, **body},
        actor=actor,
    )

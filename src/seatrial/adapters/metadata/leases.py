"""The rules of leases, which no store changes."""

from datetime import datetime, timedelta

import msgspec

from seatrial.errors import LeaseLost
from seatrial.facts.job import Lease

FREE = ""


def taken(stored: Lease | None, name: str, holder: str, now: datetime, seconds: float) -> Lease | None:
    """The lease as the holder gets it; None while another one has it."""
    if stored and stored.holder not in {FREE, holder} and stored.expires_at > now:
        return None
    epoch = 1 if stored is None else stored.epoch + (stored.holder != holder)
    return Lease(name=name, holder=holder, epoch=epoch, expires_at=now + timedelta(seconds=seconds))


def prolonged(stored: Lease | None, lease: Lease, now: datetime, seconds: float) -> Lease:
    """The lease with a later expiry. Raises LeaseLost when it is not held any more."""
    check_held(stored, lease, now)
    expires_at = max(lease.expires_at, now + timedelta(seconds=seconds))
    return msgspec.structs.replace(lease, expires_at=expires_at)


def freed(stored: Lease | None, lease: Lease, now: datetime) -> Lease | None:
    """The lease as nobody's, its epoch kept so that the next holder's is higher; None when it is not held."""
    if stored is None or not _same(stored, lease):
        return None
    return msgspec.structs.replace(stored, holder=FREE, expires_at=now)


def check_held(stored: Lease | None, lease: Lease, now: datetime) -> None:
    """Nothing, while the lease is held in its epoch and unexpired. Raises LeaseLost otherwise."""
    if stored is None or not _same(stored, lease):
        found = (
            "nobody"
            if stored is None or stored.holder == FREE
            else f"{stored.holder} in epoch {stored.epoch}"
        )
        raise LeaseLost(
            f"lease {lease.name}: expected {lease.holder} in epoch {lease.epoch}, found {found}; "
            "stop this work, its new holder goes on with it"
        )
    if stored.expires_at <= now:
        raise LeaseLost(
            f"lease {lease.name}: it expired at {stored.expires_at.isoformat()}, "
            f"it is {now.isoformat()}; acquire it again before writing"
        )


def _same(stored: Lease, lease: Lease) -> bool:
    return (stored.holder, stored.epoch) == (lease.holder, lease.epoch)

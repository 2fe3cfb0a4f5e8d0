"""The metadata store: facts, leases and the logbook, in transactions."""

from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec

from seatrial.facts.job import Lease
from seatrial.facts.logbook import LogEntry

FactT = TypeVar("FactT", bound=msgspec.Struct)


class Transaction(Protocol):
    """All or nothing. Writers are serialised: what is read inside cannot change before the commit.

    A fact is any struct of `seatrial.facts` with `id` and `product`; its class names its kind.
    """

    def put(self, fact: msgspec.Struct) -> None:
        """Store a fact under its kind, product and id; an existing one is replaced."""
        ...

    def get(self, kind: type[FactT], product: str, id: str) -> FactT | None:
        """The fact, or None when there is none."""
        ...

    def all(self, kind: type[FactT], product: str | None = None, *, limit: int | None = None) -> list[FactT]:
        """Facts of one kind in the order in which they were first stored; with `limit`, the newest ones only."""
        ...

    def log(
        self, *, product: str, kind: str, subject: str, body: dict[str, Any], actor: str = "seatrial"
    ) -> LogEntry:
        """Append to the logbook, chained to the entry before, at the store's clock; the entry as stored."""
        ...

    def logbook(
        self, product: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[LogEntry]:
        """Entries with `seq` above `after`, in order; with `limit`, the first that many."""
        ...

    def guard(self, lease: Lease) -> None:
        """No-op while `lease` is held in its epoch and unexpired. Raises LeaseLost otherwise."""
        ...


class Metadata(Protocol):
    """The store itself. Safe to use from several threads and processes."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        ...

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        """The lease, when it is free, expired or already this holder's (epoch kept then); else None."""
        ...

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """The lease with a later expiry. Raises LeaseLost when it is held in another epoch or has expired."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back; a no-op when it is no longer held."""
        ...

    def close(self) -> None:
        """Free connections."""
        ...

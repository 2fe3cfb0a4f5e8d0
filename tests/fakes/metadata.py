"""A metadata store in memory."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from seatrial.adapters.metadata import leases
from seatrial.adapters.metadata.codec import address, continued, decode, encode, kind_of
from seatrial.facts.job import Lease
from seatrial.facts.logbook import LogEntry
from seatrial.ports.clock import Clock
from tests.fakes.clock import MemoryClock

FactT = TypeVar("FactT", bound=msgspec.Struct)


@dataclass
class State:
    """All that is stored. Facts are kept as JSON, so that they change as they do in a real store."""

    records: dict[tuple[str, str, str], str] = field(default_factory=dict)
    logbook: list[LogEntry] = field(default_factory=list)
    leases: dict[str, Lease] = field(default_factory=dict)

    def copy(self) -> "State":
        """Another state that changes apart."""
        return State(dict(self.records), list(self.logbook), dict(self.leases))


class MemoryTransaction:
    """A transaction on a state of its own."""

    def __init__(self, state: State, clock: Clock) -> None:
        self.state = state
        self._clock = clock

    def put(self, fact: msgspec.Struct) -> None:
        self.state.records[address(fact)] = encode(fact)

    def get(self, kind: type[FactT], product: str, id: str) -> FactT | None:
        body = self.state.records.get((kind_of(kind), product, id))
        return None if body is None else decode(body, kind, id)

    def log(
        self, *, product: str, kind: str, subject: str, body: dict[str, Any], actor: str = "seatrial"
    ) -> LogEntry:
        entry = LogEntry(
            seq=0,
            at=self._clock.now(),
            product=product,
            kind=kind,
            subject=subject,
            body=body,
            actor=actor,
            previous="",
        )
        last = self.state.logbook[-1] if self.state.logbook else None
        self.state.logbook.append(continued(last, entry))
        return self.state.logbook[-1]

    def logbook(
        self, product: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[LogEntry]:
        found = [e for e in self.state.logbook if e.seq > after and product in {None, e.product}]
        return found[:limit]

    def all(self, kind: type[FactT], product: str | None = None, *, limit: int | None = None) -> list[FactT]:
        found = [
            decode(body, kind, id)
            for (name, owner, id), body in self.state.records.items()
            if name == kind_of(kind) and product in {None, owner}
        ]
        return found if limit is None else found[max(0, len(found) - limit) :]

    def guard(self, lease: Lease) -> None:
        leases.check_held(self.state.leases.get(lease.name), lease, self._clock.now())


class MemoryMetadata:
    """A store that one lock serialises. `state` is what is committed."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or MemoryClock()
        self.state = State()
        self._lock = threading.Lock()
        self._inside = threading.local()

    @contextlib.contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        if getattr(self._inside, "yes", False):
            raise RuntimeError("a transaction is open in this thread already: use that one")
        with self._lock:
            self._inside.yes = True
            try:
                transaction = MemoryTransaction(self.state.copy(), self.clock)
                yield transaction
                self.state = transaction.state
            finally:
                self._inside.yes = False

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        with self.begin() as t:
            lease = leases.taken(t.state.leases.get(name), name, holder, self.clock.now(), seconds)
            if lease is not None:
                t.state.leases[name] = lease
            return lease

    def renew(self, lease: Lease, seconds: float) -> Lease:
        with self.begin() as t:
            renewed = leases.prolonged(t.state.leases.get(lease.name), lease, self.clock.now(), seconds)
            t.state.leases[lease.name] = renewed
            return renewed

    def release(self, lease: Lease) -> None:
        with self.begin() as t:
            freed = leases.freed(t.state.leases.get(lease.name), lease, self.clock.now())
            if freed is not None:
                t.state.leases[lease.name] = freed

    def close(self) -> None:
        """Nothing to free."""

"""A lease is kept while work goes on, and no longer."""

import time
from collections.abc import Callable

import pytest

from seatrial.cycle.heartbeat import kept
from seatrial.errors import Conflict, LeaseLost
from seatrial.facts.job import Lease
from tests.fakes.clock import MemoryClock
from tests.fakes.metadata import MemoryMetadata

BRIEF = 0.03


def acquired(metadata: MemoryMetadata, holder: str) -> Lease:
    lease = metadata.acquire("loop", holder, BRIEF)
    assert lease is not None
    return lease


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(BRIEF / 10)


class Forgetful(MemoryMetadata):
    """A store that is not there the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def renew(self, lease: Lease, seconds: float) -> Lease:
        self.asked += 1
        if self.asked == 1:
            raise Conflict("the store is busy")
        return super().renew(lease, seconds)


def test_work_that_outlasts_its_lease_keeps_it() -> None:
    clock = MemoryClock()
    metadata = MemoryMetadata(clock)
    lease = acquired(metadata, "me")
    with kept(metadata, lease, BRIEF):
        clock.advance(seconds=BRIEF * 0.9)
        until(lambda: metadata.state.leases["loop"].expires_at > lease.expires_at)
        clock.advance(seconds=BRIEF * 0.9)
        assert metadata.acquire("loop", "another", BRIEF) is None
        with metadata.begin() as transaction:
            transaction.guard(lease)


def test_a_lease_is_not_renewed_after_the_work() -> None:
    metadata = MemoryMetadata()
    lease = acquired(metadata, "me")
    with kept(metadata, lease, BRIEF):
        pass
    before = metadata.state.leases["loop"]
    time.sleep(BRIEF * 2)
    assert metadata.state.leases["loop"] == before


def test_a_lost_lease_is_not_taken_back() -> None:
    clock = MemoryClock()
    metadata = MemoryMetadata(clock)
    lease = acquired(metadata, "me")
    clock.advance(seconds=1)
    theirs = acquired(metadata, "another")
    with kept(metadata, lease, BRIEF):
        time.sleep(BRIEF)
        with metadata.begin() as transaction, pytest.raises(LeaseLost):
            transaction.guard(lease)
    assert metadata.state.leases["loop"] == theirs


def test_a_store_that_fails_once_is_asked_again() -> None:
    metadata = Forgetful()
    lease = acquired(metadata, "me")
    with kept(metadata, lease, BRIEF):
        until(lambda: metadata.asked > 1)
    assert metadata.state.leases["loop"].epoch == lease.epoch

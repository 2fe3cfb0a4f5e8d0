"""Whoever must be alone with a product gets its leases once the loop has given way."""

from datetime import UTC, datetime

import pytest

from seatrial.cycle.stand_back import alone, must_stand_back, reading
from seatrial.errors import Conflict
from tests.fakes.clock import MemoryClock
from tests.fakes.metadata import MemoryMetadata


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata(MemoryClock(datetime(2025, 1, 1, tzinfo=UTC)))


def test_the_loop_goes_on_while_nobody_asks(metadata: MemoryMetadata) -> None:
    assert not must_stand_back(metadata, "harbour", "loop")
    assert not must_stand_back(metadata, "harbour", "loop")


def test_the_loop_stands_back_while_someone_is_alone_and_goes_on_afterwards(metadata: MemoryMetadata) -> None:
    with alone(metadata, "harbour", "eraser") as lease:
        with metadata.begin() as transaction:
            transaction.guard(lease)
        assert must_stand_back(metadata, "harbour", "loop")
        assert not must_stand_back(metadata, "other", "loop")
        assert metadata.acquire("loop:harbour", "loop", 30.0) is None
        assert metadata.acquire(reading("harbour"), "reader", 30.0) is None
    assert not must_stand_back(metadata, "harbour", "loop")
    assert metadata.acquire("loop:harbour", "loop", 30.0) is not None


def test_a_loop_that_does_not_give_way_is_told_and_nothing_stays_held(metadata: MemoryMetadata) -> None:
    assert metadata.acquire("loop:harbour", "loop", 30.0) is not None
    with (
        pytest.raises(Conflict, match="loop:harbour: another worker did not give way"),
        alone(metadata, "harbour", "eraser", patience=0.0),
    ):
        pass
    assert not must_stand_back(metadata, "harbour", "loop")


def test_the_loop_is_told_to_stand_back_while_someone_waits_for_it(metadata: MemoryMetadata) -> None:
    loop = metadata.acquire("loop:harbour", "loop", 30.0)
    assert loop is not None
    asked = metadata.acquire("alone:harbour", "eraser", 30.0)
    assert asked is not None
    assert must_stand_back(metadata, "harbour", "loop")
    metadata.release(loop)
    with alone(metadata, "harbour", "eraser") as lease:
        assert lease.holder == "eraser"

"""Every metadata store keeps the promises of its port."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from seatrial.adapters.metadata.store import open_metadata
from seatrial.errors import DataRefused, IntegrityBroken, LeaseLost
from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Verdict
from seatrial.facts.job import Job, Lease, Progress
from seatrial.facts.logbook import GENESIS, chain_faults, entry_hash
from seatrial.facts.model import Parity
from seatrial.ports.metadata import Metadata
from tests.fakes.clock import START, MemoryClock
from tests.fakes.metadata import MemoryMetadata

THREADS, ROUNDS = 4, 50


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture(params=["sqlite", "postgresql", "fake"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: MemoryClock) -> Iterator[Metadata]:
    opened = _open(request, tmp_path, clock)
    yield opened
    opened.close()


def _open(request: pytest.FixtureRequest, folder: Path, clock: MemoryClock) -> Metadata:
    if request.param == "sqlite":
        return open_metadata(f"sqlite:///{folder / 'new' / 'metadata.db'}", clock)
    if request.param == "postgresql":
        return open_metadata(request.getfixturevalue("postgres_url"), clock)
    return MemoryMetadata(clock)


def _progress(position: int = 0, *, id: str = "drain", product: str = "delays") -> Progress:
    return Progress(id=id, product=product, position=position, at=START)


def test_a_fact_comes_back_as_it_was_stored(store: Metadata) -> None:
    finding = Finding(
        id="f1", product="delays", at=START, window_from=START, window_to=START + timedelta(microseconds=1),
        release="r0001", segment="all", measure="Brier loss", value=0.1 + 0.2, lower=-1e-300, upper=None,
        verdict=Verdict.NOT_ENOUGH_DATA, detail="ünïcode \u0000 'quoted' \"twice\"",
    )  # fmt: skip
    with store.begin() as t:
        t.put(finding)
        assert t.get(Finding, "delays", "f1") == finding
    with store.begin() as t:
        assert t.get(Finding, "delays", "f1") == finding


def test_a_fact_is_found_by_kind_product_and_id_together(store: Metadata) -> None:
    with store.begin() as t:
        t.put(_progress(1))
        assert t.get(Job, "delays", "drain") is None
        assert t.get(Progress, "other", "drain") is None
        assert t.get(Progress, "delays", "other") is None


def test_putting_again_replaces_and_keeps_the_first_place_in_the_order(store: Metadata) -> None:
    with store.begin() as t:
        for id in ("b", "a", "c"):
            t.put(_progress(id=id))
    with store.begin() as t:
        t.put(_progress(9, id="b"))
        found = t.all(Progress)
    assert [(fact.id, fact.position) for fact in found] == [("b", 9), ("a", 0), ("c", 0)]


def test_a_limited_list_holds_the_newest_in_order(store: Metadata) -> None:
    with store.begin() as t:
        for index in range(5):
            t.put(_progress(id=f"p{index}"))
            t.put(_progress(id=f"q{index}", product="other"))
        assert [fact.id for fact in t.all(Progress, "delays", limit=2)] == ["p3", "p4"]
        assert [fact.id for fact in t.all(Progress, limit=3)] == ["q3", "p4", "q4"]
        assert t.all(Progress, limit=0) == []
        assert len(t.all(Progress, "delays", limit=99)) == 5
        assert t.all(Job) == []


def test_an_exception_leaves_nothing_behind(store: Metadata) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_then_fail(store)
    with store.begin() as t:
        assert t.all(Progress) == []
        assert t.logbook() == []
        assert t.log(product="delays", kind="next", subject="s", body={}).seq == 1


def _write_then_fail(store: Metadata) -> None:
    with store.begin() as t:
        t.put(_progress())
        t.log(product="delays", kind="tried", subject="s", body={})
        raise ZeroDivisionError


def test_what_cannot_be_stored_is_refused_and_named(store: Metadata) -> None:
    with store.begin() as t:
        with pytest.raises(DataRefused, match="Estimate: only facts with an id and a product"):
            t.put(Estimate(value=1.0))
        with pytest.raises(DataRefused, match="trial delays t1: it would not read back"):
            t.put(Trial(id="t1", product="delays", share=float("nan")))


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    product: str
    share: float


def test_a_fact_that_does_not_read_as_its_class_any_more_is_told(store: Metadata) -> None:
    wider = msgspec.defstruct(
        "Trial", [("id", str), ("product", str), ("share", float), ("parity", Parity)], kw_only=True
    )
    with store.begin() as t:
        t.put(Trial(id="t1", product="delays", share=0.5))
        with pytest.raises(IntegrityBroken, match="Trial t1: what is stored does not read as one"):
            t.get(wider, "delays", "t1")


def _in_threads(work: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            for _ in range(ROUNDS):
                work(number)
        except BaseException as error:  # noqa: BLE001  # a thread's failure must fail the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_reading_then_updating_from_several_threads_loses_nothing(store: Metadata) -> None:
    def count(_: int) -> None:
        with store.begin() as t:
            fact = t.get(Progress, "delays", "drain") or _progress()
            t.put(_progress(fact.position + 1))

    _in_threads(count)
    with store.begin() as t:
        fact = t.get(Progress, "delays", "drain")
    assert fact is not None
    assert fact.position == THREADS * ROUNDS


def test_concurrent_entries_make_one_chain_without_gaps(store: Metadata) -> None:
    def write(number: int) -> None:
        with store.begin() as t:
            t.log(product=f"p{number}", kind="counted", subject="s", body={"number": number})

    _in_threads(write)
    with store.begin() as t:
        entries = t.logbook()
    assert [entry.seq for entry in entries] == list(range(1, THREADS * ROUNDS + 1))
    assert chain_faults(entries) == []


def test_an_entry_is_chained_stamped_and_returned_as_stored(store: Metadata, clock: MemoryClock) -> None:
    with store.begin() as t:
        first = t.log(
            product="delays", kind="made", subject="r0001", body={"when": START, "share": (0.1, None)}
        )
        clock.advance(microseconds=1)
        second = t.log(product="other", kind="made", subject="r0002", body={}, actor="ada")
        entries = t.logbook()
    assert entries == [first, second]
    assert first.body == {"when": "2025-01-01T00:00:00Z", "share": [0.1, None]}
    assert (first.previous, second.previous) == (GENESIS, first.hash)
    assert (second.at, second.actor) == (START + timedelta(microseconds=1), "ada")
    assert second.hash == entry_hash(second)


def test_the_logbook_is_read_by_product_from_a_place_on(store: Metadata) -> None:
    with store.begin() as t:
        for number in range(6):
            t.log(product=["a", "b"][number % 2], kind="k", subject=str(number), body={})
        assert [entry.seq for entry in t.logbook(after=4)] == [5, 6]
        assert [entry.seq for entry in t.logbook("a")] == [1, 3, 5]
        assert [entry.seq for entry in t.logbook("b", after=2, limit=1)] == [4]
        assert t.logbook(limit=0) == []


def test_a_held_lease_is_refused_to_others_and_renewed_by_its_holder(
    store: Metadata, clock: MemoryClock
) -> None:
    lease = store.acquire("cycle", "ann", 10)
    assert lease == Lease(name="cycle", holder="ann", epoch=1, expires_at=START + timedelta(seconds=10))
    assert store.acquire("cycle", "ben", 10) is None
    assert store.acquire("other", "ben", 10) is not None
    clock.advance(seconds=5)
    again = store.acquire("cycle", "ann", 10)
    assert again is not None
    assert again.epoch == 1
    assert store.renew(lease, 60).expires_at == clock.now() + timedelta(seconds=60)


def test_an_expired_lease_goes_to_the_next_holder_in_a_higher_epoch(
    store: Metadata, clock: MemoryClock
) -> None:
    old = store.acquire("cycle", "ann", 10)
    assert old is not None
    clock.advance(seconds=10)
    new = store.acquire("cycle", "ben", 10)
    assert new is not None
    assert (new.holder, new.epoch) == ("ben", 2)
    with pytest.raises(LeaseLost, match="expected ann in epoch 1, found ben in epoch 2"):
        store.renew(old, 10)
    store.release(old)
    assert store.acquire("cycle", "ann", 10) is None


def test_a_released_lease_is_free_and_its_epochs_go_on_rising(store: Metadata) -> None:
    first = store.acquire("cycle", "ann", 10)
    assert first is not None
    store.release(first)
    store.release(first)
    with pytest.raises(LeaseLost, match="found nobody"):
        store.renew(first, 10)
    second = store.acquire("cycle", "ann", 10)
    assert second is not None
    assert second.epoch == 2


def test_the_guard_lets_only_the_present_holder_write(store: Metadata, clock: MemoryClock) -> None:
    lease = store.acquire("cycle", "ann", 10)
    assert lease is not None
    with store.begin() as t:
        t.guard(lease)
        t.put(_progress(1))
    clock.advance(seconds=10)
    with pytest.raises(LeaseLost, match="it expired"):
        _write_guarded(store, lease)
    with pytest.raises(LeaseLost, match="it expired"):
        store.renew(lease, 10)
    store.acquire("cycle", "ben", 10)
    with pytest.raises(LeaseLost, match="found ben"):
        _write_guarded(store, lease)
    with store.begin() as t:
        assert t.get(Progress, "delays", "drain") == _progress(1)


def _write_guarded(store: Metadata, lease: Lease) -> None:
    with store.begin() as t:
        t.put(_progress(2))
        t.guard(lease)


def test_a_renewed_lease_never_expires_sooner(store: Metadata) -> None:
    lease = store.acquire("cycle", "ann", 100)
    assert lease is not None
    assert store.renew(lease, 1).expires_at == lease.expires_at


def test_a_transaction_inside_another_is_refused_at_once(store: Metadata) -> None:
    with pytest.raises(RuntimeError, match="open in this thread already"), store.begin():
        store.acquire("cycle", "ann", 1)
    with store.begin() as t:
        t.put(_progress())


def test_times_are_utc_when_they_come_back(store: Metadata) -> None:
    with store.begin() as t:
        t.put(_progress())
        fact = t.get(Progress, "delays", "drain")
    assert fact is not None
    assert fact.at == datetime(2025, 1, 1, tzinfo=UTC)
    assert fact.at.utcoffset() == timedelta(0)

"""How large batches grow, and who may wait."""

import random
from collections.abc import Callable

import pytest

from seatrial.serve.admission import Pace, ServiceTime


def driven(seconds: Callable[[int], float], batches: int = 400) -> Pace:
    """A pace that saw batches as large as it allowed, of a model that takes `seconds` for so many rows."""
    pace = Pace()
    for _ in range(batches):
        pace.ran(pace.cap, seconds(pace.cap))
    return pace


def test_a_model_that_takes_its_time_per_call_gets_large_batches() -> None:
    assert driven(lambda rows: 0.005).cap == 256


def test_a_model_that_takes_its_time_per_row_gets_single_rows() -> None:
    assert driven(lambda rows: 0.005 * rows).cap == 1


def test_a_fast_model_gets_batches_of_a_few_milliseconds() -> None:
    assert 64 <= driven(lambda rows: 0.00002 * rows).cap <= 256


def test_whoever_would_be_next_may_wait_whatever_runs() -> None:
    pace = driven(lambda rows: 0.005 * rows)
    assert pace.admits(0, 10.0)


def test_the_line_is_as_long_as_its_wait_is_worth() -> None:
    pace = driven(lambda rows: 0.005 * rows)
    assert pace.admits(1, 0.002)
    assert not pace.admits(1, 0.005)
    assert not pace.admits(2, 0.0)


def test_a_request_larger_than_a_batch_is_load_and_not_overload() -> None:
    pace = driven(lambda rows: 0.0001 * rows)
    assert not pace.admits(2 * pace.cap, 0.2)
    pace.ran(9000, 0.9)
    assert pace.admits(2 * pace.cap, 0.9)


def test_one_slow_batch_among_many_does_not_shrink_the_next_ones() -> None:
    pace = driven(lambda rows: 0.005)
    pace.ran(256, 0.5)
    assert pace.cap == 256


def test_the_time_of_a_batch_is_learned_by_its_rows() -> None:
    times = ServiceTime()
    for rows in (1, 8, 32, 100) * 10:
        times.observe(rows, 0.0001 + 0.00001 * rows)
    assert times.seconds(64) == pytest.approx(0.00074)


def test_a_stall_of_the_machine_teaches_little() -> None:
    pace = driven(lambda rows: 0.001)
    before = pace.expected(1)
    pace.ran(1, 5.0)
    assert pace.expected(1) < 2 * before


def test_a_size_that_took_too_long_is_not_tried_again_soon() -> None:
    pace = driven(lambda rows: 0.005 * rows, batches=1000)
    sizes = [pace.cap]
    for _ in range(900):
        pace.ran(pace.cap, 0.005 * pace.cap)
        sizes.append(pace.cap)
    assert sum(size > 1 for size in sizes) <= 3


def test_noise_that_hits_all_sizes_alike_leaves_large_batches() -> None:
    chance, pace = random.Random(7), Pace()  # noqa: S311 - noise, not secrets
    for _ in range(3000):
        pace.ran(pace.cap, 0.005 * (1 + abs(chance.gauss(0, 0.25))))
    assert pace.cap >= 64


def test_a_model_that_became_slower_is_given_its_new_time() -> None:
    pace = driven(lambda rows: 0.005)
    for _ in range(100):
        pace.ran(pace.cap, 0.02)
    assert pace.expected(pace.cap) == pytest.approx(0.02, rel=0.05)
    assert pace.admits(1, 0.01)
    for _ in range(2000):
        pace.ran(pace.cap, 0.02)
    assert pace.cap == 256


def test_nothing_is_expected_before_the_first_batch() -> None:
    pace = Pace()
    assert pace.expected(1) == 0.0
    assert pace.admits(100, 0.0)


@pytest.mark.parametrize("load", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(
    ("most", "seconds"),
    [(256, lambda rows: 0.005 * rows), (4, lambda rows: 0.005), (256, lambda rows: 0.003 + 0.002 * rows)],
    ids=["per row", "per call", "both"],
)
def test_the_admitted_keep_their_latency_at_any_load(
    load: float, most: int, seconds: Callable[[int], float]
) -> None:
    rate = load * most / seconds(most)
    latencies = sorted(answered(Pace(largest=most), rate, seconds))
    assert latencies[int(0.99 * len(latencies))] < 3 * 1.1 * 0.005
    served = len(latencies) / SIMULATED
    assert served > 0.75 * min(rate, 1 / seconds(1))


SIMULATED = 20.0


def answered(pace: Pace, rate: float, seconds: Callable[[int], float]) -> list[float]:
    """Latencies of the admitted, where requests arrive at random and a batch takes what waits, up to the cap."""
    chance = random.Random(3)  # noqa: S311 - arrivals, not secrets
    latencies: list[float] = []
    waiting: list[float] = []
    now = busy_until = 0.0
    while now < SIMULATED:
        now += chance.expovariate(rate)
        while waiting and busy_until <= now:
            busy_until = _run(pace, waiting, max(busy_until, waiting[0]), seconds, latencies)
        if busy_until <= now or pace.admits(len(waiting), busy_until - now):
            waiting.append(now)
        if busy_until <= now:
            busy_until = _run(pace, waiting, now, seconds, latencies)
    return latencies


def _run(
    pace: Pace, waiting: list[float], begins: float, seconds: Callable[[int], float], latencies: list[float]
) -> float:
    """When the next batch is over; its latencies are added."""
    batch = waiting[: pace.cap]
    del waiting[: len(batch)]
    took = seconds(len(batch))
    pace.ran(len(batch), took)
    latencies += [begins + took - arrived for arrived in batch]
    return begins + took

"""What nobody waits for."""

import threading
from functools import partial

from seatrial.serve.beside import InThread
from seatrial.serve.counters import Counters


def test_jobs_run_in_their_order_and_closing_waits_for_them() -> None:
    done: list[int] = []
    beside = InThread(Counters())
    for number in range(50):
        beside.run(partial(done.append, number), "r0002", 1)
    beside.close()
    assert done == list(range(50))


def test_what_it_cannot_keep_up_with_is_left_out_and_counted() -> None:
    gate, counters = threading.Event(), Counters()
    done: list[str] = []
    beside = InThread(counters, capacity_rows=10)
    beside.run(lambda: done.append("first") if gate.wait(10) else None, "r0002", 6)
    beside.run(lambda: done.append("fits"), "r0002", 4)
    beside.run(lambda: done.append("too much"), "r0002", 1)
    gate.set()
    beside.close()
    assert done == ["first", "fits"]
    assert counters.shadows_left_out == {"r0002": 1}


def test_a_job_of_any_size_is_taken_while_nothing_waits() -> None:
    done: list[str] = []
    beside = InThread(Counters(), capacity_rows=10)
    beside.run(lambda: done.append("large"), "r0002", 10_000)
    beside.close()
    assert done == ["large"]


def test_a_job_that_fails_does_not_end_the_others() -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    done: list[str] = []
    beside = InThread(Counters())
    beside.run(fail, "r0002", 1)
    beside.run(lambda: done.append("next"), "r0002", 1)
    beside.close()
    assert done == ["next"]


def test_what_has_no_rows_is_never_left_out_and_what_comes_after_the_end_is_done_at_once() -> None:
    gate = threading.Event()
    done: list[str] = []
    beside = InThread(Counters(), capacity_rows=10)
    beside.run(lambda: done.append("large") if gate.wait(10) else None, "r0002", 10_000)
    beside.run(lambda: done.append("close"), "r0001", 0)
    gate.set()
    beside.close()
    beside.run(lambda: done.append("late"), "r0001", 0)
    assert done == ["large", "close", "late"]

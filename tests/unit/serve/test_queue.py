"""The line in front of the engine."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from seatrial.errors import DeadlineExceeded, NotReady, Overloaded, RequestInvalid
from seatrial.serve.counters import Counters
from seatrial.serve.engine import Result
from seatrial.serve.queue import RequestQueue
from seatrial.serve.request import Answers, Request


class Engine:
    """Answers each request with its row numbers; waits while `gate` is shut."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[list[str | None]] = []

    def run(self, requests: Sequence[Request], holds_up: bool) -> list[Result]:
        assert not holds_up
        assert self.gate.wait(10)
        self.batches.append([request.trace_id for request in requests])
        return [answered(request) for request in requests]


def answered(request: Request) -> Answers:
    """Names the request, and holds its number of rows in place of a release."""
    return Answers(release=f"{request.trace_id}:{request.size}", predictions=())


def request(name: str, rows: int = 1) -> Request:
    return Request(rows=[{}] * rows, trace_id=name)


def with_queue(
    scene: Callable[[RequestQueue, Engine, Counters], Awaitable[None]],
    run: Callable[[Sequence[Request], bool], list[Result]] | None = None,
) -> None:
    engine, counters = Engine(), Counters()

    async def play() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = RequestQueue(run or engine.run, executor, counters, capacity_rows=4, batch_rows=3)
            try:
                await scene(queue, engine, counters)
            finally:
                engine.gate.set()
                await queue.close()

    asyncio.run(play())


def asked(queue: RequestQueue, *requests: Request, deadline: float = 60) -> list[asyncio.Task[Answers]]:
    async def ask(one: Request) -> Answers:
        return await queue.submit(one, deadline)

    return [asyncio.ensure_future(ask(one)) for one in requests]


def test_what_waits_while_the_engine_is_busy_goes_in_one_batch() -> None:
    async def scene(queue: RequestQueue, engine: Engine, _: Counters) -> None:
        first = asked(queue, request("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = asked(queue, request("b"), request("c"))
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(*first, *others)
        assert engine.batches == [["a"], ["b", "c"]]
        assert queue.depth == 0

    with_queue(scene)


def test_a_batch_takes_whole_requests_up_to_its_size_in_their_order() -> None:
    async def scene(queue: RequestQueue, engine: Engine, _: Counters) -> None:
        tasks = asked(queue, request("a", 2), request("b", 2))
        engine.gate.set()
        answers = await asyncio.gather(*tasks)
        assert engine.batches == [["a"], ["b"]]
        assert [answer.release for answer in answers] == ["a:2", "b:2"]

    with_queue(scene)


def test_a_full_queue_refuses_at_once_and_counts_it() -> None:
    async def scene(queue: RequestQueue, engine: Engine, counters: Counters) -> None:
        tasks = asked(queue, request("a", 2), request("b", 2))
        [refused] = asked(queue, request("c"))
        with pytest.raises(Overloaded):
            await refused
        engine.gate.set()
        await asyncio.gather(*tasks)
        assert counters.shed == {"queue_full": 1}

    with_queue(scene)


def test_an_empty_queue_takes_a_request_of_any_size() -> None:
    async def scene(queue: RequestQueue, engine: Engine, _: Counters) -> None:
        engine.gate.set()
        [answer] = await asyncio.gather(*asked(queue, request("a", 100)))
        assert answer.release == "a:100"

    with_queue(scene)


def test_work_whose_deadline_has_passed_is_never_run() -> None:
    async def scene(queue: RequestQueue, engine: Engine, counters: Counters) -> None:
        [first] = asked(queue, request("a"))
        await asyncio.sleep(0.01)
        [late] = asked(queue, request("late"), deadline=0.001)
        await asyncio.sleep(0.01)
        engine.gate.set()
        await first
        with pytest.raises(DeadlineExceeded):
            await late
        assert engine.batches == [["a"]]
        assert counters.shed == {"deadline": 1}

    with_queue(scene)


def test_a_caller_who_went_away_is_not_worked_for() -> None:
    async def scene(queue: RequestQueue, engine: Engine, _: Counters) -> None:
        [first] = asked(queue, request("a"))
        await asyncio.sleep(0.01)
        gone, stays = asked(queue, request("gone"), request("stays"))
        await asyncio.sleep(0)
        gone.cancel()
        engine.gate.set()
        await asyncio.gather(first, stays)
        assert engine.batches == [["a"], ["stays"]]

    with_queue(scene)


def test_an_error_of_one_request_is_its_own() -> None:
    def run(requests: Sequence[Request], holds_up: bool) -> list[Result]:
        return [RequestInvalid([]) if one.trace_id == "bad" else answered(one) for one in requests]

    async def scene(queue: RequestQueue, _: Engine, __: Counters) -> None:
        bad, good = asked(queue, request("bad"), request("good"))
        with pytest.raises(RequestInvalid):
            await bad
        assert (await good).release == "good:1"

    with_queue(scene, run)


def test_an_engine_that_breaks_leaves_nobody_waiting() -> None:
    def run(requests: Sequence[Request], holds_up: bool) -> list[Result]:
        raise RuntimeError("broken")

    async def scene(queue: RequestQueue, _: Engine, __: Counters) -> None:
        for task in asked(queue, request("a"), request("b")):
            with pytest.raises(RuntimeError, match="broken"):
                await asyncio.wait_for(task, 10)

    with_queue(scene, run)


def test_closing_answers_all_that_waits_and_takes_nothing_more() -> None:
    async def scene(queue: RequestQueue, engine: Engine, _: Counters) -> None:
        tasks = asked(queue, request("a"), request("b"))
        await asyncio.sleep(0)
        engine.gate.set()
        await queue.close()
        assert all(task.done() for task in tasks) or len(await asyncio.gather(*tasks)) == 2
        with pytest.raises(NotReady):
            await queue.submit(request("c"), 1)

    with_queue(scene)

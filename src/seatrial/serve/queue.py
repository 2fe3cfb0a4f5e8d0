"""The line in front of the engine: bounded, with deadlines, emptied in micro-batches."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from seatrial.errors import DeadlineExceeded, NotReady, Overloaded
from seatrial.serve.admission import Pace, ServiceTime
from seatrial.serve.counters import Counters
from seatrial.serve.engine import Result
from seatrial.serve.request import Answers, Request

Run = Callable[[Sequence[Request], bool], Sequence[Result]]
# A batch that is expected to take longer than this many seconds leaves the event loop free for others.
INLINE_SECONDS = 0.002
_log = logging.getLogger(__name__)


class _Waiting:
    """A request in the line; `weight` is what it counts there, which for a large one is no more than for a batch."""

    __slots__ = ("answer", "deadline", "request", "rows", "since", "weight")

    def __init__(
        self, request: Request, weight: int, answer: "asyncio.Future[Answers]", since: float, deadline: float
    ) -> None:
        self.request, self.rows, self.weight, self.answer = request, request.size, weight, answer
        self.since, self.deadline = since, deadline


class RequestQueue:
    """Hands whatever waits to the engine as soon as the engine is free: no timer, so nobody waits for company.

    At most `capacity_rows` wait, and for a slow model none that would wait for too long; a batch takes whole requests,
    as many as pay and at most `batch_rows` rows, or one larger request. Batches that are over at once run where
    requests are read, all others in the executor. Belongs to one event loop.
    """

    def __init__(
        self,
        run: Run,
        executor: Executor,
        counters: Counters,
        *,
        capacity_rows: int = 4096,
        batch_rows: int = 256,
        bounded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`run` answers requests, and is told whether it holds up the event loop; `bounded` says whether it may."""
        self._run = run
        self._executor = executor
        self._counters = counters
        self._capacity_rows = capacity_rows
        self._bounded = bounded
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._batch_rows = batch_rows
        self._pace = Pace(largest=batch_rows)
        self._spent = ServiceTime()
        self._turn_is_due = False
        self._running: asyncio.Task[None] | None = None
        self._running_until = 0.0
        self._closed = False
        self._emptied: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = (
            None  # looked up once: Python 3.11 takes a system call for it
        )

    @property
    def depth(self) -> int:
        """Rows that wait; of a large request no more than a batch of them."""
        return self._rows

    def submit(
        self, request: Request, deadline_seconds: float, *, alone: bool = False
    ) -> "asyncio.Future[Answers]":
        """The answers to the request, some time; at once if possible when it is `alone`, so that no other is coming.

        Raises Overloaded when the queue is full or too long a wait, NotReady when it is closed. The future raises
        what the engine raises for this request, or DeadlineExceeded when the deadline passed before the engine was
        free.
        """
        if self._closed:
            raise NotReady("the server is going down; ask another one")
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        now, weight = loop.time(), min(request.size, self._batch_rows)
        if self._waiting or self._running is not None:
            self._refuse_when_full(weight, now)
        waiting = _Waiting(request, weight, loop.create_future(), now, now + deadline_seconds)
        self._waiting.append(waiting)
        self._rows += weight
        if not self._turn_is_due and self._running is None:
            if alone:
                self._turn(loop)
            else:
                self._turn_is_due = True
                loop.call_soon(self._turn, loop)
        return waiting.answer

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._waiting and self._running is None

    async def close(self) -> None:
        """Take nothing more, and answer all that waits."""
        self._closed = True
        while self._waiting or self._running is not None:
            self._emptied = asyncio.Event()
            await self._emptied.wait()

    def _refuse_when_full(self, weight: int, now: float) -> None:
        # A large request counts as one batch: the doors bound what it may hold, and one of them is no overload.
        if self._waiting and self._rows + weight > self._capacity_rows:
            self._counters.shed["queue_full"] += 1
            raise Overloaded(
                f"{self._rows} rows wait, at most {self._capacity_rows} may; try again in a second"
            )
        running_for = max(0.0, self._running_until - now) if self._running is not None else 0.0
        if not self._bounded() and not self._pace.admits(self._rows, running_for):
            self._counters.shed["too_long_a_wait"] += 1
            raise Overloaded(
                f"{self._rows} rows wait, longer than an answer is worth waiting for; try again in a second"
            )

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer what waits: at once, or in the executor."""
        self._turn_is_due = False
        began = loop.time()
        bounded = self._bounded()
        batch, rows = self._next(began, self._batch_rows if bounded else self._pace.cap)
        if not batch:
            self._go_on(loop)
        elif bounded and self._spent.seconds(rows) < INLINE_SECONDS:
            _deliver(batch, self._guarded([waiting.request for waiting in batch], rows, True))
            self._go_on(loop)
        else:
            self._running_until = began + self._pace.expected(rows)
            self._running = loop.create_task(self._run_apart(batch, rows, began, bounded))

    async def _run_apart(self, batch: Sequence[_Waiting], rows: int, began: float, bounded: bool) -> None:
        loop = asyncio.get_running_loop()
        requests = [waiting.request for waiting in batch]
        try:
            _deliver(batch, await loop.run_in_executor(self._executor, self._guarded, requests, rows, False))
        finally:
            self._running = None
            if not bounded:
                self._pace.ran(rows, loop.time() - began)
            self._go_on(loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting:
            self._turn_is_due = True
            loop.call_soon(self._turn, loop)
        elif self._emptied is not None:
            self._emptied.set()

    def _next(self, now: float, cap: int) -> tuple[list[_Waiting], int]:
        """The next micro-batch; whoever's deadline has passed, or who has gone, is dropped on the way."""
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting and (not batch or rows + self._waiting[0].rows <= cap):
            waiting = self._waiting.popleft()
            self._rows -= waiting.weight
            if waiting.answer.done():
                continue
            if waiting.deadline <= now:
                self._counters.shed["deadline"] += 1
                waiting.answer.set_exception(
                    DeadlineExceeded("the deadline passed before the rows were scored")
                )
                continue
            self._counters.queue_seconds.observe(now - waiting.since)
            batch.append(waiting)
            rows += waiting.rows
        return batch, rows

    def _guarded(self, requests: Sequence[Request], rows: int, holds_up: bool) -> Sequence[Result]:
        # What the processor spent, not what the clock says: a busy machine must not send every row through a thread.
        began = time.thread_time()
        try:
            return self._run(requests, holds_up)
        except Exception as error:  # noqa: BLE001 - every caller must hear of it, or it waits for ever
            _log.exception("a batch of %d requests was lost", len(requests))
            return [error] * len(requests)
        finally:
            self._spent.observe(rows, time.thread_time() - began)


def _deliver(batch: Sequence[_Waiting], results: Sequence[Result]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.answer.done():
            continue
        if isinstance(result, Exception):
            waiting.answer.set_exception(result)
        else:
            waiting.answer.set_result(result)

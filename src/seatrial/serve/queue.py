"""The line in front of the engine: bounded, with deadlines, emptied in micro-batches."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from seatrial.errors import DeadlineExceeded, NotReady, Overloaded
from seatrial.serve.counters import Counters
from seatrial.serve.engine import Result
from seatrial.serve.request import Answers, Request

Run = Callable[[Sequence[Request]], Sequence[Result]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Waiting:
    request: Request
    rows: int
    answer: "asyncio.Future[Answers]"
    deadline: float


class RequestQueue:
    """Hands whatever waits to the engine as soon as the engine is free: no timer, so nobody waits for company.

    At most `capacity_rows` wait; a batch takes whole requests up to `batch_rows`, or one larger request.
    Belongs to one event loop.
    """

    def __init__(
        self,
        run: Run,
        executor: Executor,
        counters: Counters,
        *,
        capacity_rows: int = 4096,
        batch_rows: int = 256,
    ) -> None:
        self._run = run
        self._executor = executor
        self._counters = counters
        self._capacity_rows = capacity_rows
        self._batch_rows = batch_rows
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def depth(self) -> int:
        """Rows that wait."""
        return self._rows

    async def submit(self, request: Request, deadline_seconds: float) -> Answers:
        """The answers to the request.

        Raises what the engine raises for this request, and besides Overloaded when the queue is full,
        DeadlineExceeded when the deadline passed before the engine was free, NotReady when the queue is closed.
        """
        if self._closed:
            raise NotReady("the server is going down; ask another one")
        self._refuse_when_full(len(request.rows))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, len(request.rows), loop.create_future(), loop.time() + deadline_seconds)
        self._waiting.append(waiting)
        self._rows += waiting.rows
        if self._worker is None:
            self._worker = loop.create_task(self._empty())
        return await waiting.answer

    async def close(self) -> None:
        """Take nothing more, and answer all that waits."""
        self._closed = True
        if self._worker is not None:
            await self._worker

    def _refuse_when_full(self, rows: int) -> None:
        # An empty queue takes a request of any size: the doors bound what one request may hold.
        if self._waiting and self._rows + rows > self._capacity_rows:
            self._counters.shed["queue_full"] += 1
            raise Overloaded(
                f"{self._rows} rows wait, at most {self._capacity_rows} may; try again in a second"
            )

    async def _empty(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch = self._next(loop.time())
                if batch:
                    requests = [waiting.request for waiting in batch]
                    _deliver(batch, await loop.run_in_executor(self._executor, self._guarded, requests))
        finally:
            self._worker = None

    def _next(self, now: float) -> list[_Waiting]:
        """The next micro-batch; whoever's deadline has passed, or who has gone, is dropped on the way."""
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting and (not batch or rows + self._waiting[0].rows <= self._batch_rows):
            waiting = self._waiting.popleft()
            self._rows -= waiting.rows
            if waiting.answer.done():
                continue
            if waiting.deadline <= now:
                self._counters.shed["deadline"] += 1
                waiting.answer.set_exception(
                    DeadlineExceeded("the deadline passed before the rows were scored")
                )
                continue
            batch.append(waiting)
            rows += waiting.rows
        return batch

    def _guarded(self, requests: Sequence[Request]) -> Sequence[Result]:
        try:
            return self._run(requests)
        except Exception as error:  # noqa: BLE001 - every caller must hear of it, or it waits for ever
            _log.exception("a batch of %d requests was lost", len(requests))
            return [error] * len(requests)


def _deliver(batch: Sequence[_Waiting], results: Sequence[Result]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.answer.done():
            continue
        if isinstance(result, Exception):
            waiting.answer.set_exception(result)
        else:
            waiting.answer.set_result(result)

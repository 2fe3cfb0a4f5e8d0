"""Bodies that come too slowly: whoever reads one is told to stop when its time is over."""

import asyncio

from seatrial.web.scoring.refusals import Refusal, too_slow

_SWEEP_SECONDS = 1.0
Reader = asyncio.Task[object]


class Readings:
    """Bodies that are being read in one event loop.

    One timer looks after all of them: a timer of its own for each would cost as much as reading a small body.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Reader, float] = {}
        self._late: set[Reader] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = (
            None  # looked up once: Python 3.11 takes a system call for it
        )

    def begin(self) -> Reader:
        """The present task, which begins to read a body; it is cancelled when that takes too long."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # a body is read by the coroutine that answers the request
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(_SWEEP_SECONDS, self._sweep, loop)
        return task

    def end(self, task: Reader) -> None:
        """It has read the body, or given up."""
        self._since.pop(task, None)
        self._late.discard(task)

    def refusal(self, task: Reader) -> Refusal | None:
        """What to raise (408) where the task was cancelled for being late; None where somebody else cancelled it."""
        if task not in self._late:
            return None
        task.uncancel()
        return too_slow(self._seconds)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what is late; tasks are in the order in which they began."""
        now = loop.time()
        for task, since in list(self._since.items()):
            if now - since < self._seconds:
                break
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        self._timer = loop.call_later(_SWEEP_SECONDS, self._sweep, loop) if self._since else None

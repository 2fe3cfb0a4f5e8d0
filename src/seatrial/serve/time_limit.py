"""Calls that may hang, on a thread that can be left behind."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

ResultT = TypeVar("ResultT")


class StillRunningError(TimeoutError):
    """The call before this one outlasted its limit and still runs: this one was not made."""


class TimeLimit(Generic[ResultT]):
    """Runs one call at a time. A call that outlasts its limit goes on alone; until it ends, no other starts."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[ResultT], Callable[[], ResultT]] | None] = SimpleQueue()
        self._running: Future[ResultT] | None = None
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], ResultT], seconds: float) -> ResultT:
        """What `function` returns, or raises. Raises TimeoutError when it takes longer.

        Raises StillRunningError when the one before still runs.
        """
        if self._running is not None and not self._running.done():
            raise StillRunningError("the call before still runs")
        self._start()
        future: Future[ResultT] = Future()
        self._running = future
        self._calls.put((future, function))
        return future.result(seconds)

    def close(self) -> None:
        """Let the thread end once its last call has."""
        self._calls.put(None)

    def _start(self) -> None:
        if self._thread is None:
            # A daemon: a hanging model must not keep the process from ending.
            self._thread = threading.Thread(target=self._work, name="seatrial-scorer", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
                future.set_exception(error)

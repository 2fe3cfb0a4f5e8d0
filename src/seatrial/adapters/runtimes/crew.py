"""The processes of one isolated model: kept running, handed out one call each, started again when they die."""

import logging
import os
import threading
import time
from collections.abc import Callable

from seatrial.adapters.runtimes.process import ModelProcess
from seatrial.errors import ModelFailed, TrainingFailed

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 30.0
_CLOSING_SECONDS = 5.0
_CLOSED = "was closed with its release"
_log = logging.getLogger(__name__)


class Crew:
    """`size` processes, each with a thread that watches it. `open_model` loads the model into a fresh one.

    `name` is the model's, for the log, which gets a line for each process that ends; `restarts` counts those that came
    up in their place.

    Raises what `open_model` raises when the first processes cannot open it.
    """

    def __init__(
        self,
        start: Callable[[], ModelProcess],
        open_model: Callable[[ModelProcess], None],
        size: int,
        name: str = "model",
    ) -> None:
        self._start, self._open, self._name = start, open_model, name
        self.restarts = 0
        self._owner = os.getpid()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._members: set[ModelProcess] = set()
        self._idle: list[ModelProcess] = []
        self._serving = 0
        self._failure = "has not started"
        first = self._first(size)
        self._watchers = [
            threading.Thread(target=self._watch, args=(member,), daemon=True, name=f"model-{member.pid}")
            for member in first
        ]
        for watcher in self._watchers:
            watcher.start()

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the processes that there are now, of those that are just starting too."""
        with self._changed:
            return tuple(sorted(member.pid for member in self._members))

    def take(self, seconds: float) -> ModelProcess:
        """A free process, for one call; waits while all are busy.

        Raises ModelFailed when none is running just now, or none came free within the seconds.
        """
        if os.getpid() != self._owner:
            raise ModelFailed("model: it was loaded before this process was forked; load it again here")
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                if self._closing.is_set():
                    raise ModelFailed(f"model: it {_CLOSED}")
                if self._idle:
                    return self._idle.pop()
                if not self._serving:
                    raise ModelFailed(
                        f"model: its process {self._failure}; it is being started again", "starting"
                    )
                if not self._changed.wait(until - time.monotonic()):
                    raise ModelFailed(
                        f"model: its {self._serving} processes were all busy for {seconds:g} s", "busy"
                    )

    def give(self, member: ModelProcess) -> None:
        """Take back a process after its call, whatever came of it."""
        with self._changed:
            if member in self._members and not member.failure:
                self._idle.append(member)
                self._changed.notify()

    def close(self) -> None:
        """End all processes, and wait until they are gone. A no-op when that was done, or in a forked process."""
        if os.getpid() != self._owner:
            return
        self._closing.set()
        with self._changed:
            members = tuple(self._members)
        for member in members:
            member.kill(_CLOSED)
        until = time.monotonic() + _CLOSING_SECONDS
        for watcher in self._watchers:
            if watcher is not threading.current_thread():
                watcher.join(max(until - time.monotonic(), 0.0))

    def _first(self, size: int) -> list[ModelProcess]:
        """All started, then all loaded: they come up side by side."""
        started: list[ModelProcess] = []
        try:
            # One by one: those that had started are known when the next one cannot.
            started.extend(self._start() for _ in range(size))
            for member in started:
                self._open(member)
        except BaseException:
            for member in started:
                member.kill("was not needed")
                member.wait()
            raise
        for member in started:
            self._enter(member)
        return started

    def _watch(self, member: ModelProcess) -> None:
        in_vain = 0
        present: ModelProcess | None = member
        while True:
            if present is not None:
                present.wait()
                self._leave(present)
            in_vain = 0 if present is not None and present.answered else in_vain + 1
            if self._closing.wait(_delay(in_vain)):
                return
            present = self._again()

    def _again(self) -> ModelProcess | None:
        """A new process, or None when it cannot start or open the model just now."""
        try:
            member = self._start()
        except OSError as error:
            _log.warning("model %s: no process could be started (%s)", self._name, error)
            return None
        with self._changed:
            self._members.add(member)
        try:
            if self._closing.is_set():
                member.kill(_CLOSED)
            self._open(member)
        except TrainingFailed as error:
            if not self._closing.is_set():
                _log.warning("model %s: its process could not open it again: %s", self._name, error)
            member.kill("could not open the model")
            member.wait()
            with self._changed:
                self._members.discard(member)
            return None
        self._enter(member)
        with self._changed:
            self.restarts += 1
        return member

    def _enter(self, member: ModelProcess) -> None:
        with self._changed:
            self._members.add(member)
            self._serving += 1
            self._idle.append(member)
            self._changed.notify()

    def _leave(self, member: ModelProcess) -> None:
        with self._changed:
            self._members.discard(member)
            self._serving -= 1
            if member in self._idle:
                self._idle.remove(member)
            self._failure = member.failure
            self._changed.notify_all()
        if not self._closing.is_set():
            _log.error(
                "model %s: its process %d %s; it is being started again",
                self._name,
                member.pid,
                member.failure,
            )


def _delay(in_vain: int) -> float:
    """Seconds before the next start: none after a process that gave answers, doubling with those that gave none."""
    # 2 to the 9th is beyond the longest.
    return min(_FIRST_DELAY * 2.0 ** (min(in_vain, 10) - 1), _LONGEST_DELAY) if in_vain else 0.0

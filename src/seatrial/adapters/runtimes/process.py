"""One process that a model runs in, and the calls to it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from seatrial.adapters.runtimes import wire
from seatrial.errors import ModelFailed, TrainingFailed
from seatrial.ports.runtime import Limits

_MODULE = "seatrial.adapters.runtimes.worker"
# What Python and its libraries need; not the server's secrets.
_HANDED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_HANDED_ON_PREFIXES = ("LC_", "PYTHON")
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "MALLOC_ARENA_MAX",
)
_REAP_SECONDS = 1.0


class ModelProcess:
    """A started process; `load` before the first `score`. One call at a time: the caller sees to that.

    `answered` says whether it ever gave scores.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.answered = False
        self._call = 0
        self._failure = ""
        self._busy = threading.Lock()
        self._ended = threading.Event()
        self._channel, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, in this Python
                [
                    sys.executable,
                    "-P",
                    "-m",
                    _MODULE,
                    str(theirs.fileno()),
                    str(lifeline),
                    str(limits.memory_bytes),
                ],
                pass_fds=(theirs.fileno(), lifeline),
                env=environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # Its own group: an interrupt at the terminal is the server's, and what it starts dies with it.
                process_group=0,
            )
        except BaseException:
            self._let_go()
            raise
        finally:
            theirs.close()
            os.close(lifeline)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def failure(self) -> str:
        """How it came to its end, for people; empty while it lives."""
        return self._failure

    def load(self, package: bytes, seconds: float) -> None:
        """Open the model. Raises TrainingFailed when that fails, or takes longer than the seconds."""
        try:
            reply = self._ask(wire.LOAD, 0, package, seconds, wire.LONGEST_TEXT)
        except ModelFailed as error:
            raise TrainingFailed(
                f"package: expected a model that opens in its own process; {error}"
            ) from error
        if reply.kind != wire.READY:
            reason = self._no_memory() if reply.kind == wire.NO_MEMORY else reply.text
            self.kill(reason)
            raise TrainingFailed(
                f"package: expected a model that opens in its own process; {reason}; install the libraries that "
                "it was trained with, or train and package it again"
            )

    def score(self, rows: int, body: bytes) -> npt.NDArray[np.float64]:
        """Probabilities of shape (rows,). Raises ModelFailed; `failure` tells whether the process lives on."""
        longest = max(rows * 8, wire.LONGEST_TEXT)
        reply = self._ask(wire.SCORE, rows, body, self._limits.timeout_seconds, longest)
        if reply.kind == wire.SCORES and len(reply.body) == rows * 8:
            self.answered = True
            return np.frombuffer(reply.body, "<f8")
        if reply.kind == wire.FAILED:
            raise ModelFailed(f"model: it could not score these rows: {reply.text}")
        self.kill(self._no_memory() if reply.kind == wire.NO_MEMORY else "answered what nobody can read")
        raise ModelFailed(f"model: its process {self._failure}", "gone")

    def kill(self, reason: str) -> None:
        """End it at once, with all that it started. The first reason stands."""
        self._failure = self._failure or reason
        if not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Returns when the process has ended; calls under way are broken off."""
        status = self._process.wait()
        self._failure = self._failure or self._how(status)
        self._ended.set()
        with suppress(OSError):
            # Something that the model started may still hold the other end open.
            self._channel.shutdown(socket.SHUT_RDWR)
        # A call that is just being broken off still uses the number of the channel.
        with self._busy:
            self._let_go()

    def _ask(self, kind: int, rows: int, body: bytes, seconds: float, longest: int) -> wire.Message:
        with self._busy:
            return self._answer(kind, rows, body, seconds, longest)

    def _answer(self, kind: int, rows: int, body: bytes, seconds: float, longest: int) -> wire.Message:
        self._call = (self._call + 1) % 2**32
        until = time.monotonic() + seconds
        try:
            self._channel.settimeout(seconds)
            wire.send(self._channel, wire.Message(self._call, kind, rows, body))
            reply = wire.receive(self._channel, longest, until)
        except TimeoutError as error:
            self.kill(f"took longer than {seconds:g} s and was ended")
            raise ModelFailed(f"model: its process {self._failure}", "gone") from error
        except ValueError as error:
            self.kill(f"answered what nobody can read ({error})")
            raise ModelFailed(f"model: its process {self._failure}", "gone") from error
        except (EOFError, OSError) as error:
            self._settle()
            raise ModelFailed(f"model: its process {self._failure}", "gone") from error
        if reply.call != self._call:
            self.kill("answered another call")
            raise ModelFailed(f"model: its process {self._failure}", "gone")
        return reply

    def _settle(self) -> None:
        """How it died is known a moment after its channel has closed; if it did not, it does now."""
        try:
            status = self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill("closed its channel")
        else:
            self._failure = self._failure or self._how(status)

    def _how(self, status: int) -> str:
        limit = f" (its memory limit is {self._megabytes()})" if self._limits.memory_bytes else ""
        if status < 0:
            return f"died of {signal.Signals(-status).name}{limit}"
        return f"ended by itself with status {status}{limit}"

    def _no_memory(self) -> str:
        return f"ran into its memory limit of {self._megabytes()}"

    def _megabytes(self) -> str:
        return f"{self._limits.memory_bytes / 1e6:,.0f} MB" if self._limits.memory_bytes else "the machine"

    def _let_go(self) -> None:
        self._channel.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a model's process sees of our environment, and one thread for every library that would take more."""
    handed = {
        name: value
        for name, value in ours.items()
        if name in _HANDED_ON or name.startswith(_HANDED_ON_PREFIXES)
    }
    return {**handed, **dict.fromkeys(_ONE_THREAD, "1")}

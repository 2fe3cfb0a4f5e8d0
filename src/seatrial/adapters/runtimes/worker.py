"""A model in a process of its own: `python -m seatrial.adapters.runtimes.worker CHANNEL LIFELINE MEMORY`.

CHANNEL is a socket to the server, LIFELINE the reading end of a pipe that the server holds open while it lives, both
by their number; MEMORY is a limit in bytes, 0 for none. The process ends when the server does, whatever the model is
doing: the closing of the pipe is a signal, which needs no thread of ours to run.
"""

import fcntl
import os
import resource
import select
import signal
import socket
import sys
from typing import Any

import numpy as np

from seatrial.adapters.runtimes import wire
from seatrial.adapters.runtimes.carried import carry
from seatrial.adapters.runtimes.estimator import frame, probabilities
from seatrial.adapters.runtimes.package import NATIVE_PART, Package, Tensor, read_package

_LONGEST = 2**40


def main(arguments: list[str]) -> None:
    """Answers until the server closes the channel."""
    channel, lifeline, memory = (int(text) for text in arguments)
    end_with(lifeline)
    limit_memory(memory)
    with socket.socket(fileno=channel) as opened:
        try:
            _serve(opened)
        except (EOFError, ConnectionError):
            return


def end_with(lifeline: int) -> None:
    """Ask the kernel for SIGIO when the pipe closes; its default action ends the process."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    ready, _, _ = select.select([lifeline], [], [], 0)
    if ready:
        sys.exit("the server was gone before its model had started")


def limit_memory(memory: int) -> None:
    """Hold this process to so many bytes of addresses; 0 is no limit."""
    # A model that crashes leaves no copy of its rows on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _serve(channel: socket.socket) -> None:
    first = wire.receive(channel, _LONGEST)
    try:
        scorer = Estimator(read_package(first.body))
    except MemoryError:
        wire.send(channel, _reply(first, wire.NO_MEMORY))
        return
    except Exception as error:  # noqa: BLE001 - it may fail in any way; the server is told, and decides
        wire.send(channel, _reply(first, wire.FAILED, text=_reason(error)))
        return
    wire.send(channel, _reply(first, wire.READY))
    while True:
        wire.send(channel, scorer.answer(wire.receive(channel, _LONGEST)))


class Estimator:
    """An estimator opened from a package, and the layout of its inputs."""

    def __init__(self, package: Package) -> None:
        self._estimator = _opened(package)
        self._numbers = _of(package, text=False)
        self._texts = _of(package, text=True)
        self._columns = package.manifest.columns

    def answer(self, asked: wire.Message) -> wire.Message:
        """The scores of one call, or why there are none."""
        try:
            scores = probabilities(self._estimator, self._rows(asked), asked.rows)
        except MemoryError:
            return _reply(asked, wire.NO_MEMORY)
        except Exception as error:  # noqa: BLE001 - it may raise anything; the server is told, and goes on
            return _reply(asked, wire.FAILED, text=_reason(error))
        return wire.Message(asked.call, wire.SCORES, scores.size, scores.astype("<f8").tobytes())

    def _rows(self, asked: wire.Message) -> Any:
        """A matrix for an estimator that takes one, a frame for one that chooses columns by name."""
        matrix, texts = wire.decode(asked.body, asked.rows, len(self._numbers), len(self._texts))
        if not self._columns:
            return matrix
        inputs = {name: matrix[:, [place]] for place, name in enumerate(self._numbers)}
        for name, values in zip(self._texts, texts, strict=True):
            inputs[name] = np.array(values, dtype=object).reshape(-1, 1)
        return frame(inputs, self._columns)


def _opened(package: Package) -> Any:
    from skops.io import loads

    carry(package.sources)
    return loads(package.part(NATIVE_PART), trusted=list(package.manifest.trusted))


def _of(package: Package, *, text: bool) -> list[str]:
    tensors: tuple[Tensor, ...] = package.manifest.inputs
    return [name for tensor in tensors if tensor.text == text for name in tensor.features]


def _reply(asked: wire.Message, kind: int, text: str = "") -> wire.Message:
    return wire.Message(asked.call, kind, asked.rows, text.encode()[: wire.LONGEST_TEXT])


def _reason(error: Exception) -> str:
    first = (str(error).strip() or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {first}"


if __name__ == "__main__":
    main(sys.argv[1:])

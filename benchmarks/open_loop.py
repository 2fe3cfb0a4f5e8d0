"""Open-loop load: requests are sent when they are due, whether or not those before them were answered.

    python open_loop.py PORT PATH BODIES < due.json > answers.json

`due.json` lists the moments in seconds from the start. Each answer is [due, latency ms, status, retry-after]: the
latency counts from the moment at which the request was due, so that neither a full server nor a late client hides a
wait. A request without an answer has status 0.
"""

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 5.0
CONNECTIONS = 64
Answer = tuple[float, float, int, bool]


class Connection(asyncio.Protocol):
    """A connection that is kept; one request at a time."""

    def __init__(self, idle: list["Connection"]) -> None:
        self._idle = idle
        self._buffer = b""
        self._tell: Callable[[int, bool], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes, tell: Callable[[int, bool], None]) -> None:
        """Send a request; `tell` is given the status, and whether a Retry-After came with it."""
        self._tell = tell
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Whole answers are told, and the connection waits for the next request."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:])
        if len(body) < int(headers[b"content-length"]):
            return
        self._buffer, tell = b"", self._tell
        self._tell = None
        self._idle.append(self)
        if tell is not None:
            tell(int(lines[0].split()[1]), b"retry-after" in headers)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """An idle connection that the server closed is not used again; a request on it stays without an answer."""
        if self in self._idle:
            self._idle.remove(self)


class Client:
    """Sends what is due, and keeps the answers."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self._port, self._requests = port, itertools.cycle(requests)
        self._idle: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._left, self._all_answered = 0, asyncio.Event()
        self.answers: list[Answer] = []

    async def run(self, due: list[float]) -> list[Answer]:
        """An answer for each moment."""
        loop = asyncio.get_running_loop()
        self._idle += [await self._connected() for _ in range(CONNECTIONS)]
        start = loop.time() + 0.05
        for moment in due:
            loop.call_at(start + moment, self._fire, start, moment)
        self._left = len(due)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_answered.wait(), due[-1] + PATIENCE)
        answered = {answer[0] for answer in self.answers}
        return [*self.answers, *((moment, 0.0, 0, False) for moment in due if moment not in answered)]

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self._idle), "127.0.0.1", self._port)
        return connection

    def _fire(self, start: float, moment: float) -> None:
        request = next(self._requests)

        def tell(status: int, retry_after: bool) -> None:
            latency = 1000 * (time.monotonic() - start - moment)
            self.answers.append((moment, latency, status, retry_after))
            if len(self.answers) == self._left:
                self._all_answered.set()

        if self._idle:
            self._idle.pop().ask(request, tell)
        else:
            task = asyncio.ensure_future(self._ask_anew(request, tell))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask_anew(self, request: bytes, tell: Callable[[int, bool], None]) -> None:
        (await self._connected()).ask(request, tell)


def requests(path: str, bodies: Path) -> list[bytes]:
    """Whole requests, one for each line of a file."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: "
    return [
        head.encode() + f"{len(body)}\r\n\r\n".encode() + body for body in bodies.read_bytes().splitlines()
    ]


def main() -> None:
    """Read what is due, print what was answered."""
    port, path, bodies = sys.argv[1:]
    client = Client(int(port), requests(path, Path(bodies)))
    print(json.dumps(asyncio.run(client.run(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()

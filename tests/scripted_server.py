"""A server of real sockets that answers as a script says, also as no server should."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

Act = Callable[[socket.socket, "Heard"], None]


class Heard(msgspec.Struct, frozen=True):
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedServer:
    """Does for each request what the script says next; the last act is done for all that follow."""

    def __init__(self, script: Sequence[Act]) -> None:
        self.script = list(script)
        self.heard: list[Heard] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def connections(self) -> int:
        """How many were opened until now."""
        return len(self._open)

    def close(self) -> None:
        # A blocked accept or read ends by a shutdown, not by a close.
        for one in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            self._start(self._serve, connection)

    def _start(self, work: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                method, path, _ = line.decode("latin-1").split(" ", 2)
                headers: dict[str, str] = {}
                while (field := stream.readline().decode("latin-1").strip()) != "":
                    name, _, value = field.partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", "0")))
                heard = Heard(method, path, headers, body)
                act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                self.heard.append(heard)
                act(connection, heard)


@contextlib.contextmanager
def scripted(*script: Act) -> Iterator[ScriptedServer]:
    """A running server, closed at the end."""
    server = ScriptedServer(script)
    try:
        yield server
    finally:
        server.close()


def answer(status: int, body: Any = None, **headers: str) -> Act:
    """A whole answer; a body that is no text of its own goes as JSON."""

    def act(connection: socket.socket, _: Heard) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)

    return act


def predictions(product: str = "hotel") -> Act:
    """Good predictions for the rows of a JSON request; rows whose price is "bad" get a fault when partial."""

    def act(connection: socket.socket, heard: Heard) -> None:
        body = heard.json()
        rows = list(enumerate(body["rows"]))
        bad = [number for number, row in rows if row.get("price") == "bad"]
        faults = [{"row": n, "field": "price", "expected": "a number", "received": '"bad"'} for n in bad]
        if bad and not body["partial"]:
            refused = {"error": "faults", "code": "request_invalid", "details": faults, "request_id": "q1"}
            answer(400, refused)(connection, heard)
            return
        good = [
            {
                "row": number,
                "prediction_id": f"p{row.get('booking')}",
                "key": str(row.get("booking")),
                "score": 0.25,
                "decision": False,
                "release": "r1",
                "variant": "live",
                "fallback": None,
            }
            for number, row in rows
            if number not in bad
        ]
        answer(200, {"product": product, "release": "r1", "predictions": good, "faults": faults})(
            connection, heard
        )

    return act


def refusal(status: int, code: str, message: str = "no", **headers: str) -> Act:
    """An error as the doors write it."""
    body = {"error": message, "code": code, "details": [], "request_id": "q1"}
    return answer(status, body, **headers)


def silence(connection: socket.socket, heard: Heard) -> None:
    """No answer until the client has gone."""
    connection.recv(1)


def cut(connection: socket.socket, heard: Heard) -> None:
    """The connection ends."""
    connection.shutdown(socket.SHUT_RDWR)


def half(connection: socket.socket, heard: Heard) -> None:
    """Half of an answer, then the end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    connection.shutdown(socket.SHUT_RDWR)


def garbage(connection: socket.socket, heard: Heard) -> None:
    """What is no HTTP."""
    connection.sendall(b"\x00\xffno http at all\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


def drops(connection: socket.socket, heard: Heard) -> None:
    """An answer whose header never ends, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-long: ")
    for _ in range(2000):
        connection.sendall(b"x")
        time.sleep(0.01)


def body_drops(connection: socket.socket, heard: Heard) -> None:
    """An answer whose body never ends, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    for _ in range(2000):
        connection.sendall(b"x")
        time.sleep(0.01)

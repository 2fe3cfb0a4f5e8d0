"""A blocking transport that keeps a deadline for a whole exchange: httpx's timeouts begin anew with every read."""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

# Of the exchange that this thread is in; a connection serves one exchange at a time.
_ends_at: ContextVar[float | None] = ContextVar("seatrial_client_ends_at", default=None)
CONNECTIONS = 100


@contextmanager
def until(ends_at: float) -> Iterator[None]:
    """Within it, no read or write of this thread goes on after `ends_at` of the monotonic clock."""
    token = _ends_at.set(ends_at)
    try:
        yield
    finally:
        _ends_at.reset(token)


def transport(tls: ssl.SSLContext | None) -> httpx.HTTPTransport:
    """A transport for `until`; `tls` replaces the default certificates."""
    made = httpx.HTTPTransport(verify=tls or True)
    # httpx takes no network of one's own; it hands this one attribute every request.
    made._pool = httpcore.ConnectionPool(  # noqa: SLF001 - see above; a test sends drops until the deadline
        ssl_context=tls or ssl.create_default_context(),
        max_connections=CONNECTIONS,
        max_keepalive_connections=CONNECTIONS,
        network_backend=_Network(),
    )
    return made


def _left(timeout: float | None) -> float | None:
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    # A timeout of nothing would mean "do not wait", which is another error.
    left = max(ends_at - time.monotonic(), 0.001)
    return left if timeout is None else min(timeout, left)


class _Network(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._sockets.connect_tcp(host, port, _left(timeout), local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

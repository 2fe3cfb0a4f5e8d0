"""Connections of the asynchronous client, one request on each at a time."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx

# Requests beyond so many wait for a connection.
CONNECTIONS = 100


class Connections:
    """The idle connections of a client, the one used last on top.

    httpx's own pool looks at all its connections for each of them with every request; at 32 at a time that took
    three quarters of the client's time.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        self._url = url
        self._tls = tls or (ssl.create_default_context() if urlsplit(url).scheme == "https" else False)
        self._idle: list[httpx.AsyncClient] = []
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._closed = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[httpx.AsyncClient]:
        """A connection for one request; a broken one is opened anew by the next."""
        async with self._places:
            http = self._idle.pop() if self._idle else self._opened()
            try:
                yield http
            finally:
                if self._closed:
                    await http.aclose()
                else:
                    self._idle.append(http)

    async def aclose(self) -> None:
        """Close the idle ones; those in use are closed when their request ends."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    def _opened(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None)
        return httpx.AsyncClient(
            base_url=self._url,
            transport=httpx.AsyncHTTPTransport(verify=self._tls, limits=limits),
            trust_env=False,
            verify=self._tls,
        )

"""The application under ASGI, for any other server."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from seatrial.web.scoring.app import ScoringApp
from seatrial.web.scoring.bodies import Readings
from seatrial.web.scoring.call import Call
from seatrial.web.scoring.headers import header_map
from seatrial.web.scoring.refusals import client_gone, too_large

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class AsgiApp:
    """What an ASGI server calls; its lifespan starts and stops the application."""

    def __init__(self, app: ScoringApp) -> None:
        self._app = app
        self._readings = Readings(app.body_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection: the server's lifespan, or a request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._app.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._app.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def read() -> bytes:
            task = self._readings.begin()
            try:
                return await self._body(receive)
            except asyncio.CancelledError as error:
                if refusal := self._readings.refusal(task):
                    raise refusal from error
                raise
            finally:
                self._readings.end(task)

        query = scope.get("query_string", b"").decode("latin-1")
        call = Call(scope["method"], scope["path"], query, header_map(scope["headers"]), read)
        if self._app.tracing is None:
            reply = await self._app.answer(call)
        else:
            scheme, version = scope.get("scheme", "http"), scope.get("http_version", "1.1")
            reply = await self._app.tracing.answer(self._app.answer, call, scheme, version)
        headers = [*reply.headers, ("content-length", str(len(reply.body)))]
        lines = [(field.encode("latin-1"), value.encode("latin-1")) for field, value in headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": lines})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    async def _body(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise client_gone()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._app.body_bytes:
                raise too_large(self._app.body_bytes)
            more = message.get("more_body", False)
        return b"".join(parts)

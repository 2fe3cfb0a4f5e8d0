"""The application under granian's own interface: one call for a whole body, one for a whole answer."""

import asyncio
import gc
import signal
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # exported, without saying so

from seatrial.web.scoring.app import ScoringApp
from seatrial.web.scoring.bodies import Readings
from seatrial.web.scoring.call import Call
from seatrial.web.scoring.refusals import client_gone, too_large
from seatrial.web.scoring.workers import DRAIN_SIGNAL, END_SIGNAL


class RsgiApp:
    """What granian calls. A worker's event loop starts and stops the application."""

    def __init__(self, app: ScoringApp) -> None:
        self._app = app
        self._readings = Readings(app.body_seconds)
        self._ending = False

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._app.start())
        loop.add_signal_handler(DRAIN_SIGNAL, self._app.drain)
        loop.add_signal_handler(END_SIGNAL, self._end)
        # What was loaded stays: the garbage collector need not look at it again, in the middle of a request.
        gc.collect()
        gc.freeze()

    def _end(self) -> None:
        """Pass the signal to end on to granian, once."""
        if not self._ending:
            self._ending = True
            signal.raise_signal(signal.SIGTERM)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._app.stop())

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request."""
        if scope.proto != "http":
            protocol.close(None)
            return
        call = _RsgiCall(scope, protocol, self._readings, self._app.body_bytes)
        if self._app.tracing is None:
            reply = await self._app.answer(call)
        else:
            tracing, version = self._app.tracing, scope.http_version
            reply = await tracing.answer(self._app.answer, call, scope.scheme, version)
        if call.method == "HEAD":
            headers = [*reply.headers, ("content-length", str(len(reply.body)))]
            protocol.response_empty(reply.status, headers)
        else:
            protocol.response_bytes(reply.status, list(reply.headers), reply.body)


class _RsgiCall(Call):
    """A call whose body comes from granian."""

    __slots__ = ("_limit", "_protocol", "_readings")

    def __init__(self, scope: Any, protocol: Any, readings: Readings, limit: int) -> None:
        super().__init__(scope.method, scope.path, scope.query_string, scope.headers, self._whole)
        self._protocol, self._readings, self._limit = protocol, readings, limit

    async def _whole(self) -> bytes:
        told = self.headers.get("content-length")
        size = int(told) if told is not None and told.isdecimal() else None
        if size is not None and size > self._limit:
            raise too_large(self._limit)
        task = self._readings.begin()
        try:
            if size is None:
                return await self._of_unknown_size()
            whole: bytes = await self._protocol()
        except ProtocolClosed as error:
            raise client_gone() from error
        except asyncio.CancelledError as error:
            if refusal := self._readings.refusal(task):
                raise refusal from error
            raise
        else:
            return whole
        finally:
            self._readings.end(task)

    async def _of_unknown_size(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in self._protocol:
            size += len(part)
            if size > self._limit:
                raise too_large(self._limit)
            parts.append(bytes(part))
        # A sound body ends with one empty part; one that breaks off, with another one.
        if parts[-2:] == [b"", b""]:
            raise client_gone()
        return b"".join(parts)

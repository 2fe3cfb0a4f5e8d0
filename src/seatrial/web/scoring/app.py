"""The data plane over HTTP: one application for every door, whatever server stands in front of it."""

import asyncio
import itertools
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from seatrial.errors import Overloaded, QuotaExceeded, RequestInvalid, SeatrialError
from seatrial.facts.token import masked_bytes
from seatrial.serve.counters import SECONDS, Histogram
from seatrial.serve.serving import Serving
from seatrial.web.hosts import LOOPBACK
from seatrial.web.scoring.call import JSON, Call, Door, Guard, Reply
from seatrial.web.scoring.guard import OpenGuard
from seatrial.web.scoring.headers import sound_request_id
from seatrial.web.scoring.health import HealthDoor
from seatrial.web.scoring.metrics import Metrics
from seatrial.web.scoring.metrics_workers import Colleagues
from seatrial.web.scoring.mlflow import MlflowDoor
from seatrial.web.scoring.native import NativeDoor
from seatrial.web.scoring.oip import OipDoor
from seatrial.web.scoring.refusals import Refusal, told_faults, unknown_path
from seatrial.web.scoring.routes import route_of
from seatrial.web.scoring.statuses import status_of
from seatrial.web.scoring.tracing import Tracing
from seatrial.web.scoring.unforeseen import Unforeseen

_encode = msgspec.json.Encoder().encode
_UNFORESEEN = "unforeseen"


class ScoringApp:
    """Serves the products of `servings`, and says how it is."""

    def __init__(
        self,
        servings: Sequence[Serving],
        *,
        guard: Guard | None = None,
        colleagues: Colleagues | None = None,
        tracing: Tracing | None = None,
        body_bytes: int = 8 * 1024 * 1024,
        body_seconds: float = 20.0,
        request_rows: int = 10_000,
    ) -> None:
        """`body_bytes`, `body_seconds` and `request_rows` bound what one request may hold and how long it is read.

        Without a guard only callers on this machine are answered; without colleagues, metrics are this worker's alone.
        """
        self.servings: Mapping[str, Serving] = {serving.product: serving for serving in servings}
        self.body_bytes, self.body_seconds = body_bytes, body_seconds
        self.tracing = tracing
        for serving in servings if tracing is not None else ():
            serving.observer = tracing
        self._responses = defaultdict[tuple[str, int], Histogram](lambda: Histogram(SECONDS))
        self._metrics = Metrics(self.servings, self._responses, colleagues)
        self._guard = keeper = guard or OpenGuard(LOOPBACK)
        self._unforeseen = Unforeseen()
        self._chores: list[asyncio.Task[None]] = []
        self._parting: tuple[tuple[str, str], ...] = ()
        doors: tuple[Door, ...] = (
            NativeDoor(self.servings, keeper, request_rows=request_rows),
            OipDoor(self.servings, keeper, body_bytes=body_bytes, request_rows=request_rows),
            MlflowDoor(self.servings, keeper, body_bytes=body_bytes, request_rows=request_rows),
            HealthDoor(self.servings, keeper, self._metrics),
        )
        self._doors = {segment: door for door in doors for segment in door.segments}
        self._usual = dict.fromkeys(map(_predict_path, self.servings), self._doors["v1"])
        self._routes = {path: route_of(path) for path in map(_predict_path, self.servings)}
        self._prefix, self._numbers = secrets.token_hex(6), itertools.count()

    async def start(self) -> None:
        """Load what is live."""
        self._chores = [asyncio.create_task(chore) for chore in (self._guard.run(), self._metrics.run())]
        for serving in self.servings.values():
            await serving.start()

    def drain(self) -> None:
        """Say that the server is going down, and still answer; callers are asked to connect elsewhere."""
        self._parting = (("connection", "close"),)
        for serving in self.servings.values():
            serving.drain()

    async def stop(self) -> None:
        """Answer what waits, and end."""
        for serving in self.servings.values():
            await serving.stop()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._metrics.close()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)

    async def answer(self, call: Call) -> Reply:
        """The answer to a request, whatever happens; `x-request-id` names it."""
        began = time.perf_counter()
        given = call.headers.get("x-request-id")
        name = given if given and sound_request_id(given) else f"{self._prefix}{next(self._numbers):08x}"
        path = call.path
        door = self._usual.get(path) or self._doors.get(path.split("/", 2)[1] if "/" in path else "")
        try:
            reply = await (self._nowhere if door is None else door.reply)(call)
        except Exception as error:  # noqa: BLE001 - a caller gets an answer, never a broken connection
            reply = self._refused(error, name, door, call)
        route = self._routes.get(path) or route_of(path)
        self._responses[route, reply.status].observe(time.perf_counter() - began)
        headers = (
            ("content-type", reply.content_type),
            ("x-request-id", name),
            *reply.headers,
            *self._parting,
        )
        return Reply(reply.status, reply.body, reply.content_type, headers)

    async def _nowhere(self, call: Call) -> Reply:
        raise unknown_path(call.path)

    def _refused(self, error: Exception, name: str, door: Door | None, call: Call) -> Reply:
        """The answer to an error: what a caller can act on, never a traceback."""
        status, body, headers = _words(error)
        if body["code"] == _UNFORESEEN:
            self._unforeseen.log(error, name)
        body["request_id"] = name
        said = _encode(body) if door is None else door.refused(call, status, body)
        return Reply(status, masked_bytes(said), JSON, headers)


def build(
    *servings: Serving,
    guard: Guard | None = None,
    colleagues: Colleagues | None = None,
    tracing: Tracing | None = None,
) -> ScoringApp:
    """The application that serves these products; `start` and `stop` belong to the event loop that calls the rest."""
    return ScoringApp(servings, guard=guard, colleagues=colleagues, tracing=tracing)


def _predict_path(product: str) -> str:
    return f"/v1/products/{product}/predict"


def _words(error: Exception) -> tuple[int, dict[str, object], tuple[tuple[str, str], ...]]:
    """Status, body and headers of an error."""
    if isinstance(error, Refusal):
        body: dict[str, object] = {"error": str(error), "code": error.code, "details": error.details}
        return error.status, body, _with_retry(error.status, error.headers, 1)
    if isinstance(error, SeatrialError):
        details = error.faults if isinstance(error, RequestInvalid) else ()
        body = {"error": _sentence(error), "code": error.code, "details": details}
        status = status_of(error)
        seconds = error.retry_after if isinstance(error, Overloaded | QuotaExceeded) else 1
        return status, body, _with_retry(status, (), seconds)
    body = {
        "error": "something went wrong here; name the request id when you ask",
        "code": _UNFORESEEN,
        "details": (),
    }
    return 500, body, ()


def _with_retry(
    status: int, headers: tuple[tuple[str, str], ...], seconds: int
) -> tuple[tuple[str, str], ...]:
    told = any(name == "retry-after" for name, _ in headers)
    return headers if told or status not in (429, 503) else (*headers, ("retry-after", str(seconds)))


def _sentence(error: SeatrialError) -> str:
    if isinstance(error, RequestInvalid):
        return told_faults(error.faults)
    return str(error)

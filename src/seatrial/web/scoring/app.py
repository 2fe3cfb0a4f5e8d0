"""The data plane over HTTP: an ASGI application without a framework."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar

import msgspec

from seatrial.errors import NotFound, Overloaded, RequestInvalid, SeatrialError
from seatrial.serve.request import Request
from seatrial.serve.serving import Serving
from seatrial.web.hosts import LOOPBACK, host_of, is_same_host
from seatrial.web.scoring.headers import deadline_seconds, header_map, request_id, trace_id
from seatrial.web.scoring.messages import OutcomesBody, PredictBody, predict_answer, product_shown
from seatrial.web.scoring.metrics import CONTENT_TYPE, metrics_text
from seatrial.web.scoring.refusals import (
    Refusal,
    foreign_host,
    foreign_origin,
    malformed,
    too_large,
    too_many,
    unknown_path,
    wrong_method,
    wrong_type,
)
from seatrial.web.scoring.statuses import status_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BodyT = TypeVar("BodyT")
_JSON = "application/json"
_LONGEST_KEY = 255
_log = logging.getLogger(__name__)


class Call(msgspec.Struct, frozen=True):
    """One HTTP request as the routes need it: where to, its headers, and a way to its body."""

    method: str
    path: str
    headers: Mapping[str, str]
    receive: Receive


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


class ScoringApp:
    """Serves the products of `servings` under /v1/products/{product}, and says how it is."""

    def __init__(
        self,
        servings: Sequence[Serving],
        *,
        hosts: Sequence[str] = LOOPBACK,
        body_bytes: int = 8 * 1024 * 1024,
        request_rows: int = 10_000,
    ) -> None:
        """`body_bytes` and `request_rows` bound what one request may hold; requests for other `hosts` are refused."""
        self._servings = {serving.product: serving for serving in servings}
        self._hosts = frozenset(hosts)
        self._body_bytes = body_bytes
        self._request_rows = request_rows
        self._statuses: Counter[tuple[str, int]] = Counter()
        self._encoder = msgspec.json.Encoder()
        self._predict_body = msgspec.json.Decoder(PredictBody)
        self._outcomes_body = msgspec.json.Decoder(OutcomesBody)

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
                for serving in self._servings.values():
                    await serving.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                for serving in self._servings.values():
                    await serving.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope["method"], scope["path"], header_map(scope["headers"]), receive)
        name = request_id(call.headers.get("x-request-id"))
        try:
            reply = await self._reply(call)
        except Exception as error:  # noqa: BLE001 - a caller gets an answer, never a broken connection
            reply = self._refused(error, name)
        self._statuses[_pattern(call.path), reply.status] += 1
        headers = [
            ("content-type", reply.content_type),
            ("content-length", str(len(reply.body))),
            ("x-request-id", name),
            *reply.headers,
        ]
        lines = [(field.encode("latin-1"), value.encode("latin-1")) for field, value in headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": lines})
        body = b"" if call.method == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})

    async def _reply(self, call: Call) -> Reply:
        self._check_caller(call)
        match call.path.split("/")[1:]:
            case ["livez"]:
                return self._shown(call, {"status": "alive"})
            case ["readyz" | "healthz"]:
                return self._ready(call)
            case ["metrics"]:
                _expect(call, "GET", "HEAD")
                body = metrics_text(self._servings.values(), self._statuses)
                return Reply(200, body.encode(), CONTENT_TYPE)
            case ["v1", "products", product]:
                return self._shown(call, product_shown(self._serving(product)))
            case ["v1", "products", product, "predict"]:
                return await self._predict(call, self._serving(product))
            case ["v1", "products", product, "outcomes"]:
                return await self._outcomes(call, self._serving(product))
        raise unknown_path(call.path)

    def _check_caller(self, call: Call) -> None:
        """Without tokens, no page of another site may make a browser act here, by whatever name it calls us."""
        host, origin = call.headers.get("host", ""), call.headers.get("origin")
        if host_of(host) not in self._hosts:
            raise foreign_host(host, sorted(self._hosts))
        if origin is not None and not is_same_host(origin, host):
            raise foreign_origin(origin, host)

    def _ready(self, call: Call) -> Reply:
        states = {name: "ready" if serving.ready else "not ready" for name, serving in self._servings.items()}
        ready = all(serving.ready for serving in self._servings.values())
        return self._shown(call, {"ready": ready, "products": states}, 200 if ready else 503)

    def _shown(self, call: Call, body: object, status: int = 200) -> Reply:
        _expect(call, "GET", "HEAD")
        return Reply(status, self._encoder.encode(body))

    async def _predict(self, call: Call, serving: Serving) -> Reply:
        body = await self._body(call, self._predict_body)
        if len(body.rows) > self._request_rows:
            raise too_many(len(body.rows), self._request_rows)
        request = Request(
            rows=body.rows,
            partial=body.partial,
            idempotency_key=_idempotency_key(body, call),
            trace_id=trace_id(call.headers.get("traceparent")),
            received_at=serving.now(),
        )
        deadline = deadline_seconds(call.headers.get("x-envoy-expected-rq-timeout-ms"))
        answers = await serving.predict(request, deadline)
        return Reply(200, self._encoder.encode(predict_answer(serving, answers)))

    async def _outcomes(self, call: Call, serving: Serving) -> Reply:
        body = await self._body(call, self._outcomes_body)
        if len(body.outcomes) > self._request_rows:
            raise too_many(len(body.outcomes), self._request_rows)
        receipt = await serving.accept(body.outcomes)
        return Reply(200, self._encoder.encode(receipt))

    def _serving(self, product: str) -> Serving:
        serving = self._servings.get(product)
        if serving is None:
            raise NotFound(f"no product {product!r} is served here; served: {', '.join(self._servings)}")
        return serving

    async def _body(self, call: Call, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
        _expect(call, "POST")
        # A browser sends this type to another site only after asking; without a type it would not ask.
        given = call.headers.get("content-type", "")
        if given.split(";")[0].strip().lower() != _JSON:
            raise wrong_type(given)
        try:
            return decoder.decode(await self._bytes(call))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise malformed(str(error)) from error

    async def _bytes(self, call: Call) -> bytes:
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await call.receive()
            if message["type"] == "http.disconnect":
                raise Refusal(499, "client_gone", "the client went away")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._body_bytes:
                raise too_large(self._body_bytes)
            more = message.get("more_body", False)
        return b"".join(parts)

    def _refused(self, error: Exception, name: str) -> Reply:
        """The answer to an error: what a caller can act on, never a traceback."""
        body: dict[str, object]
        headers: tuple[tuple[str, str], ...] = ()
        if isinstance(error, Refusal):
            status, headers = error.status, error.headers
            body = {"error": str(error), "code": error.code, "details": error.details}
        elif isinstance(error, SeatrialError):
            status = status_of(error)
            details = error.faults if isinstance(error, RequestInvalid) else ()
            body = {"error": _sentence(error), "code": error.code, "details": details}
        else:
            _log.error("request %s failed", name, exc_info=error)
            status = 500
            body = {
                "error": "something went wrong here; name the request id when you ask",
                "code": "unforeseen",
            }
        if status == 503:
            seconds = error.retry_after if isinstance(error, Overloaded) else 1
            headers = (*headers, ("retry-after", str(seconds)))
        return Reply(status, self._encoder.encode({**body, "request_id": name}), headers=headers)


def build(*servings: Serving, hosts: Sequence[str] = LOOPBACK) -> ScoringApp:
    """The ASGI application that serves these products under `hosts`; its lifespan starts and stops them."""
    return ScoringApp(servings, hosts=hosts)


def _expect(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise wrong_method(call.method, methods)


def _idempotency_key(body: PredictBody, call: Call) -> str | None:
    key = body.idempotency_key or call.headers.get("idempotency-key")
    if key and len(key) > _LONGEST_KEY:
        raise malformed(f"expected an idempotency key of at most {_LONGEST_KEY} characters, got {len(key)}")
    return key


def _pattern(path: str) -> str:
    """The path with the product left out: callers must not be able to fill the counters with their paths."""
    match path.split("/")[1:]:
        case ["livez" | "readyz" | "healthz" | "metrics"]:
            return path
        case ["v1", "products", _]:
            return "/v1/products/{product}"
        case ["v1", "products", _, "predict" | "outcomes" as door]:
            return f"/v1/products/{{product}}/{door}"
    return "(other)"


def _sentence(error: SeatrialError) -> str:
    if isinstance(error, RequestInvalid):
        return f"{len(error.faults)} faults in the rows; see details"
    return str(error)

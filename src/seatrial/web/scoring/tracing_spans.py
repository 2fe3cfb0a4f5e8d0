"""A span of each request, in OpenTelemetry's conventions; needs the extra `telemetry`."""

import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from seatrial import __version__
from seatrial.serve.request import Answers, Request
from seatrial.web.scoring.call import Call, Headers, Reply
from seatrial.web.scoring.headers import trace_parent
from seatrial.web.scoring.routes import OTHER, route_of

Answer = Callable[[Call], Awaitable[Reply]]
CLOSE_SECONDS = 3.0
_METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
# Asked every few seconds by machines: their spans would bury those of the callers.
_UNTRACED = {
    "/livez",
    "/readyz",
    "/healthz",
    "/health",
    "/ping",
    "/metrics",
    "/v2",
    "/v2/models/{model}/ready",
}
_current: ContextVar[Span | None] = ContextVar("seatrial_span", default=None)


@dataclass(slots=True)
class _Waiting:
    """A request on its way through the engine: its span, when it began to wait, and the batch that it was in."""

    product: str
    span: Span
    at: float
    at_ns: int
    batch: tuple[float, float, int, int] | None = None  # began, ended, requests, rows

    def nanoseconds(self, moment: float) -> int:
        """A moment of the clock that never jumps, in nanoseconds since 1970."""
        return self.at_ns + int((moment - self.at) * 1e9)


class Spans:
    """Makes spans; see Tracing."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("seatrial", __version__)
        self._waiting: dict[int, _Waiting] = {}

    async def answer(self, answer: Answer, call: Call, scheme: str, version: str) -> Reply:
        """What `answer` answers to the call, which gets the span's own `traceparent`."""
        route = route_of(call.path)
        if route in _UNTRACED:
            return await answer(call)
        span = self._started(call, route, scheme, version)
        token = _current.set(span)
        try:
            traced = Call(call.method, call.path, call.query, _Traced(call.headers, span), call.body)
            reply = await answer(traced)
            _tell_reply(span, reply)
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            _current.reset(token)
            span.end()
        return reply

    def asked(self, product: str, request: Request, at: float) -> None:
        """A request begins to wait."""
        span = _current.get()
        if span is not None and span.is_recording():
            self._waiting[id(request)] = _Waiting(product, span, at, time.time_ns())

    def ran(self, requests: Sequence[Request], began: float, ended: float) -> None:
        """A micro-batch was answered."""
        rows = sum(request.size for request in requests)
        for request in requests:
            if (waiting := self._waiting.get(id(request))) is not None:
                waiting.batch = (began, ended, len(requests), rows)

    def told(self, request: Request, answers: Answers | None, *, randomised: bool) -> None:
        """A request has its answers, or none."""
        waiting = self._waiting.pop(id(request), None)
        if waiting is None:
            return
        waiting.span.set_attributes({"seatrial.product": waiting.product, "seatrial.rows": request.size})
        self._add_batch(waiting, answers)
        if answers is not None and answers.predictions:
            _tell_variant(waiting, answers, randomised)

    def close(self) -> None:
        """Send the spans that are left; a collector that does not answer is not waited for."""
        sending = threading.Thread(target=self._provider.shutdown, name="seatrial-spans", daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)

    def _started(self, call: Call, route: str, scheme: str, version: str) -> Span:
        known = call.method in _METHODS
        shown = call.method if known else "HTTP"
        attributes: dict[str, str | int] = {
            "http.request.method": call.method if known else "_OTHER",
            "url.path": call.path,
            "url.scheme": scheme,
            "network.protocol.version": version,
            **_server(call.headers.get("host"), scheme),
        }
        if not known:
            attributes["http.request.method_original"] = call.method
        if route != OTHER:
            attributes["http.route"] = route
        return self._tracer.start_span(
            shown if route == OTHER else f"{shown} {route}",
            context=_context(call.headers),
            kind=SpanKind.SERVER,
            attributes=attributes,
        )

    def _add_batch(self, waiting: _Waiting, answers: Answers | None) -> None:
        if waiting.batch is None:
            return
        began, ended, requests, rows = waiting.batch
        attributes: dict[str, str | int | float] = {
            "seatrial.batch.requests": requests,
            "seatrial.batch.rows": rows,
            "seatrial.queue.duration": max(0.0, began - waiting.at),
        }
        if answers is not None:
            attributes["seatrial.release"] = answers.release
        self._tracer.start_span(
            "seatrial.batch",
            context=set_span_in_context(waiting.span, Context()),
            start_time=waiting.nanoseconds(began),
            attributes=attributes,
        ).end(waiting.nanoseconds(ended))


class _Traced:
    """A call's headers, with the span's own `traceparent`: what is recorded is the trace that is sent."""

    __slots__ = ("_inner", "_traceparent")

    def __init__(self, inner: Headers, span: Span) -> None:
        self._inner = inner
        found = span.get_span_context()
        self._traceparent = f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"

    def __contains__(self, name: object, /) -> bool:
        return name == "traceparent" or name in self._inner

    def get(self, name: str, /) -> str | None:
        """The value, or None."""
        return self._traceparent if name == "traceparent" else self._inner.get(name)


def exported(environment: Mapping[str, str], exporter: str, instance: str) -> Spans:
    """Spans that go where the environment says: `otlp` over HTTP, or `console`."""
    provider = TracerProvider(resource=_resource(environment, instance), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_made(exporter)))
    return Spans(provider)


def _made(exporter: str) -> SpanExporter:
    if exporter == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _resource(environment: Mapping[str, str], instance: str) -> Resource:
    """Who sends the spans; what the environment says of it goes before."""
    own = {"service.version": __version__, "service.instance.id": instance}
    given = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {name: value for name, value in own.items() if f"{name}=" not in given}
    if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in given:
        own["service.name"] = "seatrial"
    return Resource.create(own)


def _context(headers: Headers) -> Context:
    """The caller's span as the parent; an empty context, so a new trace, where it names none properly."""
    found = trace_parent(headers.get("traceparent"))
    if found is None:
        return Context()
    state = headers.get("tracestate")
    parent = SpanContext(
        trace_id=int(found.trace, 16),
        span_id=int(found.span, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if found.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([state]) if state else None,
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _server(host: str | None, scheme: str) -> dict[str, str | int]:
    """The address and port that the caller knows the server by."""
    name, colon, port = (host or "").rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host or "", ""
    if not name:
        return {}
    known = int(port) if port.isdecimal() else 443 if scheme == "https" else 80
    return {"server.address": name.strip("[]"), "server.port": known}


def _tell_reply(span: Span, reply: Reply) -> None:
    span.set_attribute("http.response.status_code", reply.status)
    request_id = next((value for name, value in reply.headers if name == "x-request-id"), None)
    if request_id is not None:
        span.set_attribute("seatrial.request_id", request_id)
    if reply.status >= 500:
        span.set_attribute("error.type", str(reply.status))
        span.set_status(StatusCode.ERROR)


def _tell_variant(waiting: _Waiting, answers: Answers, randomised: bool) -> None:
    """Which variant the first row got, as a feature flag's evaluation; the unit is nobody else's business."""
    first = answers.predictions[0]
    reason = "error" if first.fallback is not None else "split" if randomised else "default"
    attributes = {
        "feature_flag.key": waiting.product,
        "feature_flag.provider.name": "seatrial",
        "feature_flag.result.variant": str(first.variant),
        "feature_flag.result.reason": reason,
        "feature_flag.version": first.release,
    }
    if first.fallback is not None:
        attributes["seatrial.fallback"] = first.fallback
    waiting.span.add_event("feature_flag.evaluation", attributes)

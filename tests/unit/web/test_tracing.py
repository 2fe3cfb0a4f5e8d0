"""Spans of requests: what they are named, what they say, and whose children they are."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from seatrial.web.scoring.call import Call, Reply
from seatrial.web.scoring.tracing import tracing
from seatrial.web.scoring.tracing_spans import Spans, _resource, _server
from tests.hotel import FunctionScorer, journaled, raising, row
from tests.scoring_stage import ScoringStage

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PREDICT = "/v1/products/{product}/predict"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


class Recorded(ScoringStage):
    """A traced application whose spans are kept."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        super().__init__(tracing=Spans(provider), **options)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def only(self, kind: SpanKind = SpanKind.SERVER) -> ReadableSpan:
        [found] = [span for span in self.spans if span.kind == kind]
        return found


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def ids(span: ReadableSpan) -> tuple[str, str]:
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_a_request_is_a_server_span_named_by_method_and_route() -> None:
    with Recorded() as stage:
        reply = stage.predict(row(1), row(2))
        span = stage.only()
    assert span.name == f"POST {PREDICT}"
    found = said(span)
    assert found == {
        "http.request.method": "POST",
        "http.route": PREDICT,
        "url.path": "/v1/products/hotel/predict",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": 8400,
        "http.response.status_code": 200,
        "seatrial.product": "hotel",
        "seatrial.rows": 2,
        "seatrial.request_id": dict(reply.headers)["x-request-id"],
    }
    assert span.status.status_code == StatusCode.UNSET
    assert not any("traceparent" in header for header in reply.headers)


def test_the_engines_batch_is_a_child_with_its_rows_and_the_wait_before() -> None:
    with Recorded() as stage:
        stage.together(row(1), row(2), row(3))
        batches = [span for span in stage.spans if span.name == "seatrial.batch"]
        parents = {span.context.span_id: span for span in stage.spans if span.kind == SpanKind.SERVER}
    assert len(batches) == len(parents) == 3
    for batch in batches:
        assert batch.parent is not None
        parent = parents.pop(batch.parent.span_id)
        assert batch.context.trace_id == parent.context.trace_id
        found = said(batch)
        assert found["seatrial.queue.duration"] >= 0
        assert (found["seatrial.batch.rows"], found["seatrial.batch.requests"]) == (3, 3)
        assert found["seatrial.release"] == "r0001"
        assert parent.start_time is not None
        assert batch.start_time is not None
        assert batch.end_time is not None
        assert parent.start_time <= batch.start_time <= batch.end_time


def test_the_callers_span_is_the_parent_and_its_state_is_kept() -> None:
    with Recorded() as stage:
        stage.predict(traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="vendor=a,other=b")
        span = stage.only()
    assert ids(span)[0] == TRACE
    assert span.parent is not None
    assert (f"{span.parent.span_id:016x}", span.parent.is_remote) == (PARENT, True)
    assert span.context.trace_state.to_header() == "vendor=a,other=b"


@pytest.mark.parametrize("header", ["nonsense", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", ""])
def test_a_malformed_parent_starts_a_new_trace(header: str) -> None:
    with Recorded() as stage:
        stage.predict(traceparent=header, tracestate="vendor=a")
        span = stage.only()
    assert span.parent is None
    assert ids(span)[0] != TRACE
    assert len(span.context.trace_state) == 0


def test_a_caller_that_records_nothing_is_not_recorded_and_is_answered() -> None:
    with Recorded() as stage:
        assert stage.predict(traceparent=f"00-{TRACE}-{PARENT}-00").status == 200
        assert stage.spans == ()


@pytest.mark.parametrize("headers", [{}, {"traceparent": f"00-{TRACE}-{PARENT}-01"}])
def test_a_prediction_is_found_from_its_trace(headers: Mapping[str, str]) -> None:
    with Recorded() as stage:
        stage.predict(**headers)
        trace, _ = ids(stage.only())
    assert [prediction.trace_id for prediction in journaled(stage.journal)] == [trace]


@pytest.mark.parametrize(
    ("options", "reason", "variant", "release"),
    [
        ({}, "default", "live", "r0001"),
        ({"canary": 1.0}, "split", "canary", "r0002"),
        ({"live": "broken"}, "error", "live", "r0001"),
    ],
)
def test_the_variant_of_the_first_row_is_an_evaluation_of_a_feature_flag(
    options: dict[str, Any], reason: str, variant: str, release: str
) -> None:
    with Recorded(**options) as stage:
        stage.predict()
        [event] = stage.only().events
    assert event.name == "feature_flag.evaluation"
    found = dict(event.attributes or {})
    assert found.pop("seatrial.fallback", None) == ("model raised ValueError" if reason == "error" else None)
    assert found == {
        "feature_flag.key": "hotel",
        "feature_flag.provider.name": "seatrial",
        "feature_flag.result.variant": variant,
        "feature_flag.result.reason": reason,
        "feature_flag.version": release,
    }


def test_a_callers_mistake_is_no_error_of_the_server() -> None:
    with Recorded() as stage:
        assert stage.predict(row(1, price=-1)).status == 400
        span = stage.only()
    assert span.status.status_code == StatusCode.UNSET
    assert said(span)["http.response.status_code"] == 400
    assert "error.type" not in said(span)


def test_a_failure_of_the_server_is_an_error() -> None:
    with Recorded() as stage:
        stage.writer.fails = True
        assert stage.predict().status == 503
        stage.writer.fails = False
        span = stage.only()
    assert span.status.status_code == StatusCode.ERROR
    assert (said(span)["error.type"], said(span)["http.response.status_code"]) == ("503", 503)


def test_unknown_paths_and_methods_do_not_become_names() -> None:
    with Recorded() as stage:
        stage.ask("GET", "/secret/path")
        stage.ask("BREW", "/v1/products/hotel/predict")
        names = [span.name for span in stage.spans]
        brewed = said(stage.spans[1])
    assert names == ["GET", f"HTTP {PREDICT}"]
    assert (brewed["http.request.method"], brewed["http.request.method_original"]) == ("_OTHER", "BREW")


def test_probes_and_scrapes_are_not_traced() -> None:
    with Recorded() as stage:
        for path in ("/livez", "/readyz", "/healthz", "/metrics", "/ping", "/v2/health/ready"):
            stage.ask("GET", path)
        assert stage.spans == ()


def test_a_broken_answer_ends_its_span_as_an_error() -> None:
    async def broken(call: Call) -> Reply:
        raise ConnectionResetError

    async def read() -> bytes:
        return b""

    stage = Recorded()
    assert isinstance(stage.tracing, Spans)
    answer = stage.tracing.answer(broken, Call("GET", "/x", "", {}, read), "http", "1.1")
    with stage, pytest.raises(ConnectionResetError):
        stage.runner.run(answer)
    assert stage.only().status.status_code == StatusCode.ERROR
    assert said(stage.only())["error.type"] == "ConnectionResetError"


@pytest.mark.parametrize(
    ("host", "scheme", "address", "port"),
    [
        ("api.example", "https", "api.example", 443),
        ("api.example:81", "http", "api.example", 81),
        ("[::1]:8400", "http", "::1", 8400),
        ("[::1]", "http", "::1", 80),
    ],
)
def test_the_server_is_named_as_its_callers_know_it(host: str, scheme: str, address: str, port: int) -> None:
    assert _server(host, scheme) == {"server.address": address, "server.port": port}
    assert _server(None, scheme) == {}


def test_what_the_environment_says_of_the_service_goes_before() -> None:
    own = _resource({}, "w1").attributes
    assert (own["service.name"], own["service.instance.id"]) == ("seatrial", "w1")
    given = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=till,service.instance.id=pod-1"}
    named = _resource(given, "w1").attributes
    assert "seatrial" not in (named["service.name"], named["service.instance.id"])


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
    ],
)
def test_nothing_is_traced_unless_it_is_asked_for(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert tracing(environment, instance="w1") is None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER is 'zipkin', expected one of otlp, console",
        ),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "is 'grpc', expected http/protobuf"),
    ],
)
def test_what_cannot_be_done_is_said_and_keeps_no_server_from_starting(
    environment: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert tracing(environment, instance="w1") is None
    assert said in caplog.text


def test_without_the_extra_a_warning_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "seatrial.web.scoring.tracing_spans")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with caplog.at_level(logging.WARNING):
        assert tracing(ENDPOINT, instance="w1") is None
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is asked for" in caplog.text
    assert "pip install 'seatrial[telemetry]'" in caplog.text


@pytest.mark.parametrize("environment", [ENDPOINT, {"OTEL_TRACES_EXPORTER": "console"}])
def test_what_is_asked_for_is_made(environment: dict[str, str]) -> None:
    found = tracing(environment, instance="w1")
    assert found is not None
    found.close()


def test_a_model_that_fails_leaves_no_request_behind() -> None:
    with Recorded(live="given", given=FunctionScorer(raising)) as stage:
        stage.predict()
        stage.writer.fails = True
        stage.predict()
        stage.writer.fails = False
        assert isinstance(stage.tracing, Spans)
        assert stage.tracing._waiting == {}

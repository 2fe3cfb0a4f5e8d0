"""Operating a real server: going down without hurting anybody, and the numbers of all its workers."""

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.facts.prediction import PredictionBlock
from seatrial.facts.records import decode_predictions
from tests.hotel import row
from tests.operated_server import SLOW_START, OperatedServer, operated_server
from tests.prometheus_text import Scrape, parsed

PREDICT = "/v1/products/hotel/predict"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Client:
    """One connection that is kept, and made anew only when the server has said that it closes it."""

    def __init__(self, server: OperatedServer) -> None:
        self._port = int(server.url.rpartition(":")[2])
        self._connection: http.client.HTTPConnection | None = None
        self.told_to_go = 0

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        connection = self._connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
        connection.request(method, path, content, {"content-type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        self._connection = None if answer.will_close else connection
        self.told_to_go += answer.will_close
        if answer.will_close:
            connection.close()
        return answer.status, said

    def predict(self, number: int) -> str:
        """The id of a prediction that was acknowledged."""
        status, said = self.ask(PREDICT, {"rows": [row(number)]})
        assert status == 200, said
        prediction: str = said["predictions"][0]["prediction_id"]
        return prediction

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Collector(BaseHTTPRequestHandler):
    """Takes spans as an OpenTelemetry collector does, in OTLP over HTTP."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        server = cast("CollectorServer", self.server)
        if self.path == "/v1/traces":
            server.taken.append(ExportTraceServiceRequest.FromString(content))
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Silence."""


class CollectorServer(ThreadingHTTPServer):
    """A collector, and what it has taken."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Collector)
        self.taken: list[ExportTraceServiceRequest] = []

    def spans(self) -> list[tuple[dict[str, str], Any]]:
        """Each span with what is said of the service that sent it."""
        return [
            ({one.key: one.value.string_value for one in resource.resource.attributes}, span)
            for request in self.taken
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextlib.contextmanager
def collector() -> Iterator[CollectorServer]:
    with CollectorServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def until(what: Callable[[], bool]) -> None:
    for _ in range(600):
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen within 12 seconds")


def sealed(journal: Path) -> list[PredictionBlock]:
    segments = FileJournalReader(journal).sealed()
    return [decode_predictions(record) for segment in segments for record in segment.records]


def sealed_ids(journal: Path) -> list[str]:
    return [name for block in sealed(journal) for name in block.prediction_id]


def test_a_server_told_to_end_says_so_and_still_answers_until_the_delay_is_over(tmp_path: Path) -> None:
    with operated_server(tmp_path, workers=2, drain_seconds=600) as server:
        client, prober = Client(server), Client(server)
        known = [client.predict(number) for number in range(5)]
        server.process.send_signal(signal.SIGTERM)
        until(lambda: prober.ask("/readyz")[0] == 503)
        assert prober.ask("/readyz") == (
            503,
            {"ready": False, "products": {"hotel": "not ready: the server is going down"}},
        )
        assert prober.ask("/livez")[0] == 200
        before = client.told_to_go
        known += [client.predict(number) for number in range(5, 60)]
        assert client.told_to_go > before, "callers that keep connections are asked to connect elsewhere"
        client.close()
        prober.close()
        server.process.send_signal(signal.SIGTERM)  # the delay is cut short
        assert server.process.wait(30) == 0
    assert not list(server.journal.glob("*.open"))
    assert sorted(sealed_ids(server.journal)) == sorted(known)
    assert not list((tmp_path / "metrics").iterdir())


def test_a_server_ends_by_itself_when_the_delay_is_over(tmp_path: Path) -> None:
    with operated_server(tmp_path, drain_seconds=0.5) as server:
        client = Client(server)
        known = [client.predict(number) for number in range(3)]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        client.close()
    assert sorted(sealed_ids(server.journal)) == sorted(known)


def test_a_request_that_is_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    body = json.dumps({"rows": [row(1)]}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    with operated_server(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:10])
            until(lambda: server.ask("/readyz").status_code == 200)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: not _is_open(port))
            time.sleep(1.2)  # it is told again meanwhile
            slow.sendall(body[10:])
            assert slow.recv(15) == b"HTTP/1.1 200 OK"
        assert server.process.wait(30) == 0
    assert len(sealed_ids(server.journal)) == 1


def _is_open(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_a_worker_that_is_told_to_end_while_it_begins_ends_in_order_too(tmp_path: Path) -> None:
    with operated_server(tmp_path, workers=2, variables={SLOW_START: "1.5"}) as server:
        until(lambda: len(list((tmp_path / "metrics").glob("*.lock"))) == 2)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert not list((tmp_path / "metrics").iterdir()), "killed, a worker leaves its files behind"


def test_a_scrape_shows_every_living_worker_and_no_counter_ever_goes_backwards(tmp_path: Path) -> None:
    with operated_server(tmp_path, workers=2) as server:
        seen: dict[Any, float] = defaultdict(float)
        workers = set()

        def scraped() -> Scrape:
            """A scrape over a new connection, which the kernel gives to either worker."""
            found = parsed(server.ask("/metrics").text)
            for key, value in found.counted().items():
                assert value >= seen[key], key
                seen[key] = value
            workers.update(found.workers)
            return found

        until(lambda: len(scraped().workers) == 2)
        for number in range(40):
            server.ask(PREDICT, {"rows": [row(number)]})
            answered = scraped().total("seatrial_rows_total")
            assert answered <= number + 1
        until(lambda: scraped().total("seatrial_rows_total") == 40)
        assert len(workers) == 2

        gone, _ = server.workers()
        os.kill(gone, signal.SIGKILL)
        until(lambda: not any(name.startswith(f"{gone}-") for name in _scraped_anew(server).workers))
        until(lambda: len(_scraped_anew(server).workers) == 2)


def test_a_worker_that_died_is_replaced_and_told_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with operated_server(tmp_path, workers=2) as server:
        until(lambda: len(server.workers()) >= 2)
        gone, *others = server.workers()
        os.kill(gone, signal.SIGKILL)
        until(lambda: len(set(server.workers()) - {gone, *others}) == 1)
        [new] = set(server.workers()) - {gone, *others}
        said = ""

        def told() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return f"worker {gone} ended by signal 9; started again as {new}" in said

        until(told)
    assert said.count("started again") == 1


def _scraped_anew(server: OperatedServer) -> Scrape:
    try:
        return parsed(server.ask("/metrics").text)
    except httpx.TransportError:  # the killed worker had this connection
        time.sleep(0.05)
        return _scraped_anew(server)


def test_spans_reach_a_collector_and_lead_to_the_predictions(tmp_path: Path) -> None:
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with collector() as taking:
        endpoint = f"http://127.0.0.1:{taking.server_port}"
        with operated_server(tmp_path, variables={ENDPOINT: endpoint}) as server:
            headers = {"traceparent": f"00-{trace}-{parent}-01", "tracestate": "vendor=a"}
            answer = httpx.post(server.url + PREDICT, json={"rows": [row(1)]}, headers=headers, timeout=20)
            assert answer.status_code == 200
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0, "the spans that are left are sent before the end"
        spans = {span.name: (service, span) for service, span in taking.spans()}
    assert spans.keys() == {"POST /v1/products/{product}/predict", "seatrial.batch"}
    service, span = spans["POST /v1/products/{product}/predict"]
    assert service["service.name"] == "seatrial"
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (trace, parent, "vendor=a")
    assert spans["seatrial.batch"][1].parent_span_id == span.span_id
    assert [event.name for event in span.events] == ["feature_flag.evaluation"]
    assert [block.trace_id for block in sealed(server.journal)] == [[trace]]


def test_a_collector_that_is_gone_keeps_no_server_from_answering_or_ending(tmp_path: Path) -> None:
    with operated_server(tmp_path, variables={ENDPOINT: "http://127.0.0.1:9"}) as server:
        assert server.ask(PREDICT, {"rows": [row(1)]}).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert len(sealed_ids(server.journal)) == 1

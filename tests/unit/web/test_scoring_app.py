"""The scoring door, spoken to in ASGI."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any, Self

import msgspec
import pytest

from seatrial.cycle.publish import next_tables
from seatrial.facts.records import decode_predictions
from seatrial.product.product import Product
from seatrial.serve.serving import Serving
from seatrial.web.hosts import LOOPBACK, own_hosts
from seatrial.web.scoring.app import ScoringApp
from seatrial.web.scoring.asgi import AsgiApp
from seatrial.web.scoring.guard import OpenGuard
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal, MemoryJournalWriter
from tests.hotel import (
    BOOKED,
    PRODUCT_FILE,
    START,
    FunctionScorer,
    NamedRuntime,
    PriceScorer,
    SettableSource,
    hotel_product,
    row,
    stored_release,
    weather_table,
)

DAY = timedelta(days=1)
HOST = "127.0.0.1:8400"
PREDICT = "/v1/products/hotel/predict"
OUTCOMES = "/v1/products/hotel/outcomes"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Answer:
    """A status, headers and a body."""

    def __init__(self, messages: list[MutableMapping[str, Any]]) -> None:
        start, *rest = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body = b"".join(message.get("body", b"") for message in rest)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Door:
    """An application with one product, called in a loop of its own. Use it in a `with`."""

    def __init__(
        self, *, live: bool = True, file: str = PRODUCT_FILE, product: Product | None = None, **options: Any
    ) -> None:
        self.artifacts, self.journal = MemoryArtifacts(), MemoryJournal()
        self.writer: MemoryJournalWriter = self.journal.writer()
        self.model = FunctionScorer(PriceScorer().score)
        release = stored_release(self.artifacts, product=product or hotel_product(file=file))
        self.source = SettableSource(release if live else None)
        runtime = NamedRuntime(price=self.model)
        clock = MemoryClock(START)
        self.serving = Serving("hotel", self.source, self.artifacts, runtime, self.writer, clock)
        hosts = options.pop("hosts", LOOPBACK)
        self.app = AsgiApp(ScoringApp([self.serving], guard=OpenGuard(hosts), **options))
        self.runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self.runner.run(self.serving.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self.serving.stop())
        self.runner.close()

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"host": HOST, **({"content-type": "application/json"} if method == "POST" else {})}
        given |= {name.lower(): value for name, value in (headers or {}).items()}
        lines = [(name.encode(), value.encode()) for name, value in given.items() if value]
        scope = {"type": "http", "method": method, "path": path, "headers": lines}
        parts = [content[: len(content) // 2], content[len(content) // 2 :]]
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        self.runner.run(self.app(scope, receive, send))
        return Answer(sent)

    def predict(self, *rows: object, headers: Mapping[str, str] | None = None, **more: object) -> Answer:
        return self.ask("POST", PREDICT, {"rows": rows, **more}, headers)


def test_a_prediction_is_answered_with_id_score_decision_and_release() -> None:
    with Door() as door:
        answer = door.predict(row(1), row(2, price=900.0))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json["product"], answer.json["release"], answer.json["faults"]) == ("hotel", "r0001", [])
    first, second = answer.json["predictions"]
    assert set(first) == {
        *("row", "prediction_id", "key", "score", "decision", "release", "variant", "fallback")
    }
    assert (first["key"], first["decision"], second["decision"]) == ("b1", False, True)
    assert (second["score"], second["variant"]) == (pytest.approx(0.9), "live")
    [segment] = door.journal.sealed()
    ids = [name for record in segment.records for name in decode_predictions(record).prediction_id]
    assert ids == [first["prediction_id"], second["prediction_id"]]


def test_a_broken_contract_is_a_400_that_names_every_row_and_field() -> None:
    with Door() as door:
        answer = door.predict(row(0, price=-1), row(1, deposit="half", nights="two"))
    assert answer.status == 400
    assert answer.json["code"] == "request_invalid"
    named = {(detail["row"], detail["field"]) for detail in answer.json["details"]}
    assert named == {(0, "price"), (1, "deposit"), (1, "nights")}
    assert all(set(detail) == {"row", "field", "expected", "received"} for detail in answer.json["details"])


def test_partial_answers_the_good_rows() -> None:
    with Door() as door:
        answer = door.predict(row(0, price=-1), row(1), partial=True)
    assert answer.status == 200
    assert [prediction["row"] for prediction in answer.json["predictions"]] == [1]
    assert [fault["field"] for fault in answer.json["faults"]] == ["price"]


@pytest.mark.parametrize("in_header", [True, False])
def test_the_same_idempotency_key_gives_the_same_prediction(in_header: bool) -> None:
    with Door() as door:
        answers = [
            door.predict(row(1), headers={"Idempotency-Key": "k"})
            if in_header
            else door.predict(row(1), idempotency_key="k")
            for _ in range(2)
        ]
        other = door.predict(row(1), idempotency_key="other")
    first, second = (answer.json["predictions"] for answer in answers)
    assert first == second
    assert other.json["predictions"] != first


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", PREDICT, b"{", {}, 400),
        ("POST", PREDICT, b"\xff\xfe", {}, 400),
        ("POST", PREDICT, {"rows": [1]}, {}, 400),
        ("POST", PREDICT, {"row": []}, {}, 400),
        ("POST", PREDICT, {"rows": [], "idempotency_key": "k" * 300}, {}, 400),
        ("POST", PREDICT, {"rows": []}, {"content-type": "text/csv"}, 415),
        ("POST", PREDICT, {"rows": []}, {"content-type": "text/plain"}, 415),
        ("POST", PREDICT, {"rows": []}, {"content-type": ""}, 415),
        ("POST", OUTCOMES, {"outcomes": []}, {"content-type": ""}, 415),
        ("GET", PREDICT, None, {}, 405),
        ("POST", "/livez", None, {}, 405),
        ("POST", "/v1/products/motel/predict", {"rows": []}, {}, 404),
        ("GET", "/v1/products/motel", None, {}, 404),
        ("GET", "/elsewhere", None, {}, 404),
        ("POST", PREDICT, {"rows": [row()] * 3}, {}, 413),
        ("POST", OUTCOMES, {"outcomes": [{}] * 3}, {}, 413),
        ("POST", PREDICT, b" " * 5000, {}, 413),
    ],
)
def test_what_http_refuses_has_its_status_a_code_and_a_request_id(
    method: str, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    with Door(request_rows=2, body_bytes=4000) as door:
        answer = door.ask(method, path, body, headers)
    assert answer.status == status
    assert answer.json["error"]
    assert answer.json["code"]
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.body.decode()


def _tensors(rows: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = {"price": "FP64", "nights": "INT64"}
    columns = [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": kinds.get(name, "BYTES"),
            "data": [one[name] for one in rows],
        }
        for name in rows[0]
    ]
    return {"inputs": columns}


@pytest.mark.parametrize(
    ("path", "member", "body"),
    [
        (PREDICT, "error", lambda rows: {"rows": rows}),
        ("/v2/models/hotel/infer", "error", _tensors),
        ("/invocations", "message", lambda rows: {"instances": rows}),
    ],
)
def test_the_sentence_of_a_refusal_names_the_first_faults_as_some_clients_show_nothing_else(
    path: str, member: str, body: Callable[[list[dict[str, Any]]], dict[str, Any]]
) -> None:
    with Door() as door:
        one = door.ask("POST", path, body([row(1), row(2, price=-1.0)]))
        many = door.ask("POST", path, body([row(number, nights=-1) for number in range(7)]))
    assert (one.status, many.status) == (400, 400)
    (fault,) = one.json["details"]
    assert (fault["row"], fault["field"]) == (1, "price")
    told = f"row 1, price: expected {fault['expected']}, received -1.0"
    assert one.json[member] == f"1 fault in the request: {told}"
    assert many.json[member].startswith("7 faults in the request: row 0, nights: expected ")
    assert many.json[member].endswith("; and 4 more, see details")
    assert many.json[member].count("row ") == 3


def test_the_sentence_of_a_refusal_tells_of_a_tensor_that_is_missing() -> None:
    tensors = _tensors([row(1)])
    tensors["inputs"] = [one for one in tensors["inputs"] if one["name"] != "booking"]
    with Door() as door:
        answer = door.ask("POST", "/v2/models/hotel/infer", tensors)
    assert answer.json["error"].startswith("1 fault in the request: booking: expected an input of BYTES")
    assert answer.json["error"].endswith("received none")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "foreign_host"),
        ({"host": "evil.example:8400"}, "foreign_host"),
        ({"host": "localhost.evil.example:8400"}, "foreign_host"),
        ({"host": "[::2]:8400"}, "foreign_host"),
        ({"host": ""}, "foreign_host"),
        ({"origin": "http://evil.example"}, "foreign_origin"),
        ({"origin": "http://127.0.0.1:9000"}, "foreign_origin"),
        ({"origin": "null"}, "foreign_origin"),
        ({"host": "evil.example:8400", "origin": "http://evil.example:8400"}, "foreign_host"),
    ],
)
def test_no_page_of_another_site_may_post_or_read(headers: dict[str, str], code: str) -> None:
    outcomes = {"outcomes": [{"key": "b1", "is_canceled": True}]}
    with Door() as door:
        answers = [
            door.ask("POST", OUTCOMES, outcomes, headers),
            door.ask("POST", PREDICT, {"rows": [row(1)]}, headers),
            door.ask("GET", "/metrics", headers=headers),
            door.ask("GET", "/readyz", headers=headers),
        ]
    assert [(answer.status, answer.json["code"]) for answer in answers] == [(403, code)] * 4
    assert not door.journal.sealed()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8400", "127.0.0.1:8400", "[::1]:8400"])
def test_whoever_asks_this_machine_is_answered_and_so_is_a_page_from_here(host: str) -> None:
    with Door() as door:
        assert door.ask("GET", "/livez", headers={"host": host}).status == 200
        assert door.ask("GET", "/readyz", headers={"host": host}).status == 200
        assert door.predict(row(1), headers={"host": host, "origin": f"http://{host}"}).status == 200


def test_the_host_that_a_server_is_bound_to_is_its_own() -> None:
    for host in ("127.8.8.8:8400", "127.8.8.8"):
        with Door() as door, Door(hosts=own_hosts("127.8.8.8")) as bound:
            assert door.ask("GET", "/v1/products/hotel", headers={"host": host}).status == 403
            assert bound.ask("GET", "/v1/products/hotel", headers={"host": host}).status == 200


def test_a_json_type_with_parameters_is_json() -> None:
    with Door() as door:
        headers = {"content-type": "Application/JSON; charset=utf-8"}
        assert door.predict(row(1), headers=headers).status == 200


def test_a_wrong_method_is_told_the_right_one() -> None:
    with Door() as door:
        assert door.ask("GET", PREDICT).headers["allow"] == "POST"


def test_a_request_id_is_echoed_when_it_can_be_and_made_when_it_cannot() -> None:
    with Door() as door:
        assert door.ask("GET", "/livez", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
        made = door.ask("GET", "/livez", headers={"X-Request-Id": "a\nb"}).headers["x-request-id"]
    assert made != "a\nb"
    assert made.isalnum()


def test_a_trace_is_kept_with_the_prediction() -> None:
    with Door() as door:
        door.predict(row(1), headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
        door.predict(row(2), headers={"traceparent": "nonsense"})
    [segment] = door.journal.sealed()
    assert [name for record in segment.records for name in decode_predictions(record).trace_id] == [
        TRACE,
        None,
    ]


def test_alive_without_a_release_but_not_ready() -> None:
    with Door(live=False) as door:
        assert door.ask("GET", "/livez").status == 200
        for path in ("/readyz", "/healthz"):
            assert door.ask("GET", path).status == 503
        refused = door.predict(row())
    assert (refused.status, refused.json["code"]) == (503, "not_ready")
    assert int(refused.headers["retry-after"]) >= 1


def test_ready_with_a_release() -> None:
    with Door() as door:
        assert door.ask("GET", "/readyz").status == 200


def test_a_head_has_no_body() -> None:
    with Door() as door:
        answer = door.ask("HEAD", "/readyz")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_journal_that_fails_is_a_503_with_retry_after() -> None:
    with Door() as door:
        door.writer.fails = True
        answer = door.predict(row())
        door.writer.fails = False
    assert (answer.status, answer.json["code"]) == (503, "journal_unavailable")
    assert "retry-after" in answer.headers


def test_something_unforeseen_is_a_500_that_says_nothing_of_the_inside() -> None:
    def secret(rows: int) -> list[str]:
        raise RuntimeError("a secret of the inside")

    with Door() as door:
        door.serving.engine._ids = secret
        answer = door.predict(row())
    assert (answer.status, answer.json["code"]) == (500, "unforeseen")
    assert b"secret" not in answer.body


def test_a_model_that_hangs_is_answered_for_within_the_deadline() -> None:
    goes_on = threading.Event()

    def hang(inputs: Any) -> Any:
        goes_on.wait(30)
        return inputs["price"][:, 0]

    with Door(file=PRODUCT_FILE + "serve: {deadline: 200ms}\n") as door:
        door.model.function = hang
        answer = door.predict(row())
        goes_on.set()
    assert answer.json["predictions"][0]["fallback"] == "model too slow"


def test_outcomes_are_taken_row_by_row() -> None:
    with Door() as door:
        rows = [{"key": "b1", "is_canceled": True}, {"key": "b2", "is_canceled": "no"}]
        answer = door.ask("POST", OUTCOMES, {"outcomes": rows})
    assert answer.status == 200
    assert answer.json["accepted"] == 1
    assert [(fault["row"], fault["field"]) for fault in answer.json["refused"]] == [(1, "is_canceled")]


def test_a_product_shows_what_a_request_must_bring() -> None:
    with Door() as door:
        shown = door.ask("GET", "/v1/products/hotel").json
    assert (shown["product"], shown["release"], shown["model_digest"]) == ("hotel", "r0001", "model-r0001")
    columns = {column["name"]: (column["type"], column["required"]) for column in shown["columns"]}
    assert columns["price"] == ("float", True)
    assert "is_canceled" not in columns


def test_metrics_count_what_happened_and_are_named_as_prometheus_asks() -> None:
    with Door() as door:
        door.predict(row(1), row(2))
        door.predict(row(1, price=-1))
        door.ask("GET", '/else"where\n')
        text = door.ask("GET", "/metrics").body.decode()
    assert 'seatrial_rows_total{product="hotel",release="r0001"} 2' in text
    assert 'seatrial_contract_violations_total{product="hotel",field="price"} 1' in text
    assert 'seatrial_http_responses_total{route="/v1/products/{product}/predict",code="200"} 1' in text
    assert 'seatrial_http_responses_total{route="(other)",code="404"} 1' in text
    assert 'seatrial_request_duration_seconds_bucket{product="hotel",le="+Inf"} 2' in text
    assert "else" not in text.replace("(other)", "")


def test_metrics_tell_the_age_of_lookups_beside_what_the_contract_allows() -> None:
    product = hotel_product(fresh_within=3600.0)
    table = weather_table(product)
    with Door(product=product) as door:
        published = next_tables(None, product, {"weather": table}, door.artifacts, at=START - DAY)
        assert door.source.table is not None
        door.source.table = msgspec.structs.replace(
            door.source.table, lookups=published.lookups, published_at=published.published_at
        )
        door.serving.refresh()
        text = door.ask("GET", "/metrics").body.decode()
    age = (START - (BOOKED - DAY)).total_seconds()
    assert f'seatrial_lookup_staleness_seconds{{product="hotel",lookup="weather"}} {age}' in text
    assert 'seatrial_lookup_staleness_bound_seconds{product="hotel",lookup="weather"} 3600.0' in text
    assert 'seatrial_lookup_publication_age_seconds{product="hotel"} 86400.0' in text


def test_metrics_call_a_lookup_without_any_row_infinitely_old() -> None:
    product = hotel_product()
    with Door(product=product) as door:
        published = next_tables(
            None, product, {"weather": weather_table(product, [])}, door.artifacts, at=START
        )
        assert door.source.table is not None
        door.source.table = msgspec.structs.replace(door.source.table, lookups=published.lookups)
        door.serving.refresh()
        text = door.ask("GET", "/metrics").body.decode()
    assert 'seatrial_lookup_staleness_seconds{product="hotel",lookup="weather"} +Inf' in text


def test_the_lifespan_loads_and_lets_go() -> None:
    door = Door()
    messages = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": next(messages)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(f"{message['type']} {door.serving.ready}")

    door.runner.run(door.app({"type": "lifespan"}, receive, send))
    door.runner.close()
    assert sent == ["lifespan.startup.complete True", "lifespan.shutdown.complete False"]
    assert not door.writer.alive

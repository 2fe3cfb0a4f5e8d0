"""Bad input at every door of a real server: a 4xx that names every faulty field, and never a 5xx or a wrong 200."""

import asyncio
import io
import json
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tests.hotel import row
from tests.one_product import OneProductServer
from tests.permits import permit, permits_server
from tests.scoring_server import Server, scoring_server

PRODUCT = "/v1/products/hotel"
PREDICT = f"{PRODUCT}/predict"
PERMITS = "/v1/products/permits/predict"
ARROW = "application/vnd.apache.arrow.stream"
MANY = 9 * 1024 * 1024
GONE = object()
Answer = httpx.Response
Ask = Callable[[Server, list[dict[str, Any]]], Answer]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with scoring_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def asked(server: Server, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """A connection of its own each: a refused body may end it."""
    url = httpx.URL(server.url)
    connection = HTTPConnection(url.host, url.port or 0, timeout=20)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, content=answer.read(), headers=answer.getheaders())
    finally:
        connection.close()


def post(server: Server, path: str, body: bytes, kind: str = "application/json", **headers: str) -> Answer:
    return asked(server, "POST", path, body, content_type=kind, **headers)


def still_answers(server: Server) -> bool:
    return post(server, PREDICT, ROWS % GOOD).status_code == 200


# Faulty rows, at every door that takes rows.


def native(server: Server, rows: list[dict[str, Any]]) -> Answer:
    return post(server, PREDICT, json.dumps({"rows": rows}).encode())


def invocations(server: Server, rows: list[dict[str, Any]]) -> Answer:
    return post(server, "/invocations", json.dumps({"dataframe_records": rows}).encode())


def split(server: Server, rows: list[dict[str, Any]]) -> Answer:
    names = list(rows[0])
    table = {"columns": names, "data": [[one[name] for name in names] for one in rows]}
    return post(server, "/invocations", json.dumps({"dataframe_split": table}).encode())


def arrow(server: Server, rows: list[dict[str, Any]]) -> Answer:
    stream = io.BytesIO()
    pl.DataFrame(rows, infer_schema_length=None).write_ipc_stream(stream)
    return post(server, PREDICT, stream.getvalue(), ARROW)


OIP_TYPES = {str: "BYTES", float: "FP64", int: "INT64", bool: "BOOL", type(None): "BYTES"}


def infer(server: Server, rows: list[dict[str, Any]]) -> Answer:
    inputs = [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": OIP_TYPES[type(value)],
            "data": [one[name] for one in rows],
        }
        for name, value in rows[0].items()
    ]
    return post(server, "/v2/models/hotel/infer", json.dumps({"inputs": inputs}).encode())


DOORS: dict[str, Ask] = {
    "json": native,
    "arrow": arrow,
    "oip": infer,
    "mlflow records": invocations,
    "mlflow split": split,
}
doors = pytest.mark.parametrize("ask", DOORS.values(), ids=DOORS)

FAULTS: dict[str, dict[str, Any]] = {
    "a missing field": {"price": GONE},
    "two missing fields": {"price": GONE, "booking": GONE},
    "text for a number": {"price": "cheap"},
    "a number as text": {"price": "100.0"},
    "null where it is required": {"price": None},
    "true for a number": {"price": True},
    "false for a whole number": {"nights": False},
    "a number for text": {"city": 5},
    "true for text": {"deposit": True},
    "a part of a night": {"nights": 1.5},
    "below the bounds": {"price": -0.01},
    "above the bounds": {"price": 5000.5},
    "a value of no list": {"deposit": "half"},
    "a time without zone": {"booked_at": "2024-12-01T12:00:00"},
    "no time": {"booked_at": "yesterday"},
    "a field of no contract": {"prise": 1.0},
    "everything at once": {"price": "x", "nights": True, "city": 3, "booked_at": "now", "extra": 1},
}


@doors
@pytest.mark.parametrize("changes", FAULTS.values(), ids=FAULTS)
def test_a_faulty_row_is_refused_with_every_faulty_field_named(
    server: Server, ask: Ask, changes: dict[str, Any]
) -> None:
    bad = {name: value for name, value in row(1, **changes).items() if value is not GONE}
    answer = ask(server, [bad])
    assert answer.status_code == 400, answer.text
    told = answer.json()
    named = {detail["field"] for detail in told["details"]} if told["details"] else told["error"]
    assert [name for name in changes if name not in named] == []
    assert isinstance(named, str) or len(named) == len(changes)
    assert "Traceback" not in answer.text


@doors
def test_what_the_contract_allows_is_answered(server: Server, ask: Ask) -> None:
    whole = row(1, price=float(500))
    nulls = row(2, price=0.0, nights=None, city=None, deposit=None)
    for rows in ([whole], [whole, nulls]):
        answer = ask(server, rows)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_also_where_the_format_can_carry_it(
    server: Server, value: float
) -> None:
    answer = arrow(server, [row(1, price=value)])
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["details"]] == ["price"]


# Bodies that are no rows at all.

GOOD = json.dumps(row(1)).encode()
ROWS = b'{"rows":[%b]}'
NO_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b"   ",
    "half of it": ROWS[:6] + GOOD,
    "no JSON": b"rows=1",
    "single quotes": b"{'rows': []}",
    "a comment": b'{"rows": [] /* none */}',
    "a second document": ROWS % GOOD + ROWS % GOOD,
    "a byte order mark": b"\xef\xbb\xbf" + ROWS % GOOD,
    "another encoding": (ROWS % GOOD).decode().encode("utf-16"),
    "no UTF-8": ROWS % GOOD.replace(b"Rome", b"R\xff\xfeme"),
    "NaN": ROWS % GOOD.replace(b"101.0", b"NaN"),
    "Infinity": ROWS % GOOD.replace(b"101.0", b"-Infinity"),
    "a number beyond floats": ROWS % GOOD.replace(b"101.0", b"1e999"),
    "a huge whole number": ROWS % GOOD.replace(b'"nights": 2', b'"nights": ' + b"9" * 400),
    "a whole number beyond 64 bits": ROWS % GOOD.replace(b'"nights": 2', b'"nights": 18446744073709551616'),
    "half a pair of surrogates": ROWS % GOOD.replace(b"Rome", b"\\ud800"),
    "a broken escape": ROWS % GOOD.replace(b"Rome", b"\\x41"),
    "a bare control character": ROWS % GOOD.replace(b"Rome", b"Ro\nme"),
    "an object for rows": b'{"rows": %b}' % GOOD,
    "a text for rows": b'{"rows": "all"}',
    "null for rows": b'{"rows": null}',
    "no rows member": b'{"row": [%b]}' % GOOD,
    "a bare list": b"[%b]" % GOOD,
    "a row of null": ROWS % b"null",
    "a row of a list": ROWS % b"[1,2]",
    "a row of text": ROWS % b'"row"',
    "an unknown member": b'{"rows":[%b],"model":"r2"}' % GOOD,
    "a strange partial": b'{"rows":[%b],"partial":"yes"}' % GOOD,
    "a strange key": b'{"rows":[%b],"idempotency_key":5}' % GOOD,
    "a long key": b'{"rows":[%b],"idempotency_key":"%b"}' % (GOOD, b"k" * 300),
    "nested without end": b'{"rows":' + b"[" * 100_000,
    "nested deeply": b'{"rows":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a deeply nested value": ROWS % GOOD.replace(b"101.0", b"[" * 5000 + b"]" * 5000),
}


@pytest.mark.parametrize("body", NO_BODIES.values(), ids=NO_BODIES)
def test_a_body_that_is_no_request_is_refused(server: Server, body: bytes) -> None:
    answer = post(server, PREDICT, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in ("malformed", "request_invalid")
    assert still_answers(server)


@pytest.mark.parametrize("body", NO_BODIES.values(), ids=NO_BODIES)
@pytest.mark.parametrize("path", ["/invocations", "/v2/models/hotel/infer", f"{PRODUCT}/outcomes"])
def test_no_other_door_takes_such_a_body_either(server: Server, path: str, body: bytes) -> None:
    assert post(server, path, body).status_code == 400


@pytest.mark.parametrize("door", ["outcomes", "actions"])
@pytest.mark.parametrize("rows", [[None], [[]], ["x"], [5], [{}], [{"key": 5}], [{"key": None}]])
def test_reports_that_say_nothing_are_refused_row_by_row(server: Server, door: str, rows: list[Any]) -> None:
    answer = post(server, f"{PRODUCT}/{door}", json.dumps({door: rows}).encode())
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 0
    assert {fault["row"] for fault in answer.json()["refused"]} == {0}


def test_of_a_name_given_twice_the_last_counts(server: Server) -> None:
    twice = GOOD.replace(b'"price": 101.0', b'"price": "x", "price": 900.0')
    assert post(server, PREDICT, ROWS % twice).json()["predictions"][0]["score"] == pytest.approx(0.9)
    bad = GOOD.replace(b'"price": 101.0', b'"price": 101.0, "price": "x"')
    assert post(server, PREDICT, ROWS % bad).status_code == 400


@pytest.mark.parametrize("door", [PREDICT, f"{PRODUCT}/outcomes", f"{PRODUCT}/actions"])
@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/xml", "application/json2", "multipart/form-data"]
)
def test_a_body_of_another_type_is_refused(server: Server, door: str, kind: str) -> None:
    assert post(server, door, ROWS % GOOD, kind).status_code == 415


def test_more_rows_than_a_request_may_hold_are_refused(server: Server) -> None:
    answer = post(server, PREDICT, ROWS % b",".join([b"{}"] * 10_001))
    assert answer.status_code == 413


@pytest.mark.parametrize("path", [PREDICT, "/invocations", "/v2/models/hotel/infer", f"{PRODUCT}/outcomes"])
@pytest.mark.parametrize("filling", [b" ", b"\x00", b"["])
def test_a_body_over_the_limit_is_refused(server: Server, path: str, filling: bytes) -> None:
    try:
        answer = post(server, path, ROWS % GOOD + filling * MANY)
    except ConnectionError:
        return  # refused while it was being sent
    assert answer.status_code == 413


STREAM = io.BytesIO()
pl.DataFrame([row(1)]).write_ipc_stream(STREAM)
NO_STREAMS: dict[str, bytes] = {
    "nothing": b"",
    "no stream": b"x" * 500,
    "half of it": STREAM.getvalue()[: len(STREAM.getvalue()) // 2],
    "JSON": ROWS % GOOD,
    "a huge length": b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\x00" * 100,
    "zeros": b"\x00" * 4096,
}


@pytest.mark.parametrize("body", NO_STREAMS.values(), ids=NO_STREAMS)
def test_what_is_no_arrow_stream_is_refused(server: Server, body: bytes) -> None:
    assert post(server, PREDICT, body, ARROW).status_code == 400
    assert still_answers(server)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("price", [[1.0]]),
        pl.Series("price", [{"a": 1.0}]),
        pl.Series("price", [b"1"]),
        pl.Series("price", ["1"], dtype=pl.Categorical),
        pl.Series("price", [None]),
        pl.Series("nights", [2**63], dtype=pl.UInt64),
        pl.Series("booked_at", [0], dtype=pl.Datetime("us")),
        pl.Series("booked_at", [0], dtype=pl.Duration("us")),
    ],
    ids=lambda column: f"{column.name} of {column.dtype}",
)
def test_an_arrow_column_of_another_type_is_refused_by_its_name(server: Server, column: pl.Series) -> None:
    stream = io.BytesIO()
    pl.DataFrame([row(1)]).with_columns(column).write_ipc_stream(stream)
    answer = post(server, PREDICT, stream.getvalue(), ARROW)
    assert answer.status_code == 400, answer.text
    assert column.name in answer.text


def text_tensor(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}


PRICE = {"name": "price", "shape": [1], "datatype": "FP64", "data": [100.0]}
NO_TENSORS: dict[str, Any] = {
    "no inputs": [],
    "a shape of another size": [{**PRICE, "shape": [2]}],
    "a negative shape": [{**PRICE, "shape": [-1]}],
    "a huge shape": [{**PRICE, "shape": [2**40, 2**40]}],
    "a type of no name": [{**PRICE, "datatype": "FP65"}],
    "no data": [{"name": "price", "shape": [1], "datatype": "FP64"}],
    "binary data that is not there": [
        {"name": "price", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}
    ],
    "one name twice": [PRICE, PRICE],
    "rows of two lengths": [PRICE, {"name": "nights", "shape": [2], "datatype": "INT64", "data": [1, 2]}],
}


@pytest.mark.parametrize("inputs", NO_TENSORS.values(), ids=NO_TENSORS)
def test_tensors_that_are_none_are_refused(server: Server, inputs: Any) -> None:
    answer = post(server, "/v2/models/hotel/infer", json.dumps({"inputs": inputs}).encode())
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("length", ["-1", "x", "99999", "9" * 30, "1.5", ""])
def test_a_binary_header_of_a_strange_length_is_refused(server: Server, length: str) -> None:
    body = json.dumps({"inputs": [PRICE]}).encode()
    answer = post(server, "/v2/models/hotel/infer", body, inference_header_content_length=length)
    assert answer.status_code == 400, answer.text


# HTTP itself.


def raw(server: Server, sent: bytes, *, end: bool = False) -> bytes:
    """What a server answers to bytes until it closes, as it is asked to; `end` says that nothing else will come."""
    host, port = server.url.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while got := connection.recv(65536):
                answer += got
        except OSError:  # closed while we still send, or read
            pass
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


BODY = ROWS % GOOD
HEAD = f"POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n".encode()
LAST = HEAD + b"connection: close\r\n"
LENGTH = b"content-length: %d\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
JUNK: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "an empty request line": b"\r\n\r\n\r\n",
    "an old version": b"GET /livez\r\n\r\n",
    "a future version": b"GET /livez HTTP/9.9\r\n\r\n",
    "a bad chunk size": HEAD + CHUNKED + b"xyz\r\n" + BODY,
    "a negative length": HEAD + b"content-length: -5\r\n\r\n" + BODY,
    "a length of letters": HEAD + b"content-length: many\r\n\r\n" + BODY,
    "two lengths": HEAD + b"content-length: 3\r\ncontent-length: 5\r\n\r\n" + BODY,
    "a header without a name": HEAD + b": x\r\n" + LENGTH % len(BODY) + BODY,
    "a null byte in a header": HEAD + b"x-y: a\x00b\r\n" + LENGTH % len(BODY) + BODY,
    "a header without end": HEAD + b"x-long: " + b"x" * 2_000_000,
    "ten thousand headers": HEAD + b"x: y\r\n" * 10_000 + LENGTH % len(BODY) + BODY,
    "half a body": HEAD + LENGTH % (2 * len(BODY)) + BODY,
    "half a chunk": HEAD + CHUNKED + b"ffff\r\n" + BODY,
    "no length and no body": HEAD + b"\r\n",
    "another host": BODY.join([HEAD.replace(b"localhost", b"evil.example") + LENGTH % len(BODY), b""]),
    "no host": HEAD.replace(b"host: localhost\r\n", b"") + LENGTH % len(BODY) + BODY,
    "a path with a null byte": HEAD.replace(b"/predict", b"/predict%00") + LENGTH % len(BODY) + BODY,
    "a path of dots": HEAD.replace(b"/v1", b"/../../v1") + LENGTH % len(BODY) + BODY,
    "a path that is no UTF-8": HEAD.replace(b"hotel", b"h%ff%fe") + LENGTH % len(BODY) + BODY,
    "a very long path": HEAD.replace(b"hotel", b"h" * 100_000) + LENGTH % len(BODY) + BODY,
}


@pytest.mark.parametrize("sent", JUNK.values(), ids=JUNK)
def test_what_is_no_good_http_gets_a_4xx_or_a_closed_connection(server: Server, sent: bytes) -> None:
    answer = raw(server, sent, end=True)
    assert [status for status in statuses(answer) if not 400 <= status < 500] == []
    assert still_answers(server)


def test_a_chunked_body_is_a_body(server: Server) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:10], BODY[10:])) + b"0\r\n\r\n"
    assert statuses(raw(server, LAST + CHUNKED + chunks)) == [200]


def test_a_good_request_before_junk_is_answered_and_the_junk_is_not(server: Server) -> None:
    answer = statuses(raw(server, HEAD + LENGTH % len(BODY) + BODY + b"\x00\x01junk\r\n\r\n"))
    assert answer[0] == 200
    assert [status for status in answer[1:] if not 400 <= status < 500] == []


def test_requests_that_follow_one_another_at_once_are_answered_in_order(server: Server) -> None:
    one = LENGTH % len(BODY) + BODY
    bad = HEAD + LENGTH % 2 + b"{}"
    assert statuses(raw(server, HEAD + one + bad + LAST + one)) == [200, 400, 200]


def test_an_expectation_that_nobody_meets_is_refused_or_left_unmet(server: Server) -> None:
    known = raw(server, LAST + b"expect: 100-continue\r\n" + LENGTH % len(BODY) + BODY)
    assert statuses(known)[-1] == 200
    strange = raw(server, LAST + b"expect: a miracle\r\n" + LENGTH % len(BODY) + BODY)
    assert all(status in (200, 417) for status in statuses(strange))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PREDICT, "POST"),
        ("PUT", PREDICT, "POST"),
        ("DELETE", PRODUCT, "GET"),
        ("POST", "/livez", "GET"),
        ("POST", "/readyz", "GET"),
        ("POST", "/metrics", "GET"),
        ("PATCH", f"{PRODUCT}/outcomes", "POST"),
        ("GET", f"{PRODUCT}/actions", "POST"),
        ("GET", "/invocations", "POST"),
        ("GET", "/v2/models/hotel/infer", "POST"),
        ("POST", "/v2/health/live", "GET"),
    ],
)
def test_another_method_is_refused_with_the_one_that_would_do(
    server: Server, method: str, path: str, allowed: str
) -> None:
    answer = asked(server, method, path, content_type="application/json")
    assert answer.status_code == 405
    assert allowed in answer.headers["allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    ["/", "//", "/v1", "/v1/products", "/v1/products/none/predict", "/v2/models/none", f"{PRODUCT}/train"],
)
def test_a_path_that_is_not_there_is_not_found(server: Server, path: str) -> None:
    assert asked(server, "GET", path).status_code == 404


# Callers that are slow, many, or wrong beside others that are good.


def ask_until(server: Server, stop: threading.Event, found: list[int]) -> None:
    """A good caller: its statuses; 0 for a broken connection."""
    number = 0
    path, make = (PERMITS, permit) if isinstance(server, OneProductServer) else (PREDICT, row)
    with httpx.Client(base_url=server.url, timeout=20) as client:
        while not stop.is_set():
            number += 1
            try:
                found.append(client.post(path, json={"rows": [make(number)]}).status_code)
            except httpx.TransportError:
                found.append(0)


def with_good_callers(server: Server, callers: int, meanwhile: Callable[[], None]) -> list[int]:
    """The statuses that good callers got while something else went on."""
    stop, found = threading.Event(), list[int]()
    threads = [threading.Thread(target=ask_until, args=(server, stop, found)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    return found


POISON = [
    json.dumps({"rows": [{name: value for name, value in row(1).items() if name != "price"}]}).encode(),
    json.dumps({"rows": [row(1, price="x"), row(2)]}).encode(),
    b'{"rows": [',
    b'{"rows":' + b"[" * 2000,
]


def test_one_bad_caller_never_fails_sixteen_good_ones(server: Server) -> None:
    refused: list[int] = []

    def poison() -> None:
        with httpx.Client(base_url=server.url, timeout=20) as client:
            for number in range(150):
                kind = {"content-type": "application/json"}
                refused.append(
                    client.post(PREDICT, content=POISON[number % len(POISON)], headers=kind).status_code
                )
                time.sleep(0.02)

    good = with_good_callers(server, 16, poison)
    assert len(good) > 100
    assert set(good) == {200}
    assert set(refused) == {400}


SLOW: dict[str, tuple[bytes, bytes]] = {
    "headers that come byte by byte": (b"POST / HTTP/1.1\r\nx: ", b"x"),
    "a body that comes byte by byte": (HEAD + LENGTH % 100_000, b" "),
    "half a body and then silence": (HEAD + LENGTH % (2 * len(BODY)) + BODY, b""),
    "half a header and then silence": (HEAD, b""),
}


def test_slow_callers_are_dropped_and_others_answered(tmp_path: Path) -> None:
    """All four at once, at a server of little patience, because that is what this test takes."""
    with permits_server(tmp_path) as server:
        good, kept = with_slow_callers(server)
    assert set(good) == {200}
    assert kept == []


def with_slow_callers(server: Server) -> tuple[list[int], list[str]]:
    """The statuses that a good caller got meanwhile, and which slow callers the server kept."""
    kept: list[str] = []

    def dawdle(name: str, first: bytes, then: bytes) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=0.25) as connection:
            connection.sendall(first)
            for _ in range(240):
                try:
                    connection.sendall(then)
                    if connection.recv(65536) == b"":
                        return
                except TimeoutError:
                    continue
                except ConnectionError:
                    return
        kept.append(name)

    def all_dawdle() -> None:
        threads = [threading.Thread(target=dawdle, args=(name, *sent)) for name, sent in SLOW.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return with_good_callers(server, 1, all_dawdle), kept


def test_a_bulk_caller_does_not_get_small_ones_refused(server: Server) -> None:
    bulk = json.dumps({"rows": [row(number) for number in range(9000)]}).encode()
    statuses_of_bulk: list[int] = []

    def send_bulk() -> None:
        statuses_of_bulk.extend(post(server, PREDICT, bulk).status_code for _ in range(10))

    good = with_good_callers(server, 1, send_bulk)
    assert set(statuses_of_bulk) == {200}
    assert set(good) == {200}


def test_very_many_idle_connections_keep_nobody_out(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(500)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"POST / HT")
        assert all(still_answers(server) for _ in range(20))
    finally:
        for connection in idle:
            connection.close()


def test_a_body_over_the_limit_is_refused_before_it_is_read_whole(server: Server) -> None:
    """The server may answer and close while we still send; it must not take 1 GiB first."""
    host, port = server.url.removeprefix("http://").split(":")
    sent, answer = 0, b""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(HEAD + LENGTH % (1 << 30))
        try:
            while sent < 1 << 27:
                connection.sendall(b" " * 65536)
                sent += 65536
        except ConnectionError:
            pass
        else:
            pytest.fail(f"the server took {sent} bytes of a body that is too large")
        try:
            answer = connection.recv(65536)
        except ConnectionError:
            return
    assert statuses(answer) in ([413], [])


def test_many_callers_who_hang_up_at_once_leave_no_trace(server: Server) -> None:
    async def run() -> None:
        async def hang_up() -> None:
            host, port = server.url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(HEAD + LENGTH % len(BODY) + BODY)
            await writer.drain()
            writer.close()

        await asyncio.gather(*(hang_up() for _ in range(100)))

    asyncio.run(run())
    assert still_answers(server)

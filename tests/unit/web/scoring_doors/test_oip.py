"""Open Inference Protocol V2: what it tells, how tensors become rows, and what is refused."""

import gzip
import json
import math
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from seatrial.contract.model import ColumnContract
from seatrial.web.scoring.call import Reply
from seatrial.web.scoring.oip import OipDoor
from tests.doors import AskedServing, Everyone, as_serving, call, fields, read, reply
from tests.hotel import row

_DATATYPES = {"price": "FP64", "nights": "INT64", "flag": "BOOL"}
Tensor = dict[str, Any]


def _door(serving: AskedServing, guard: Everyone | None = None, **limits: int) -> OipDoor:
    return OipDoor(as_serving(serving), guard or Everyone(), **limits)


def _tensors(*rows: dict[str, Any], **changes: Tensor) -> list[Tensor]:
    """One tensor per column; changes are by column, and a column that is changed to {} is left out."""
    tensors = [
        {
            "name": name,
            "shape": [len(rows), 1],
            "datatype": _DATATYPES.get(name, "BYTES"),
            "data": [one[name] for one in rows],
        }
        for name in rows[0]
    ]
    return [
        {**one, **changes.get(str(one["name"]), {})} for one in tensors if changes.get(str(one["name"])) != {}
    ]


def _infer(serving: AskedServing, inputs: list[Tensor], tail: bytes = b"", **more: Any) -> Reply:
    text = json.dumps({"inputs": inputs, **more}).encode()
    headers = {"inference_header_content_length": str(len(text))} if tail else {}
    return reply(_door(serving), call("POST", "/v2/models/hotel/infer", text + tail, **headers))


def _packed(*tensors: tuple[str, str, list[int], bytes]) -> tuple[list[Tensor], bytes]:
    """Tensors whose bytes follow the JSON."""
    heads = [
        {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        for name, kind, shape, data in tensors
    ]
    return heads, b"".join(data for *_, data in tensors)


def _texts(*texts: str) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def _keys(*keys: str) -> tuple[str, str, list[int], bytes]:
    return ("booking", "BYTES", [len(keys)], _texts(*keys))


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v2", 200, {"name": "seatrial", "extensions": ["binary_tensor_data"]}),
        ("/v2/health/live", 200, {"live": True}),
        ("/v2/health/ready", 200, {"ready": True}),
        ("/v2/models", 200, {"models": ["hotel"]}),
        ("/v2/models/hotel/ready", 200, {"name": "hotel", "ready": True}),
        ("/v2/models/hotel/versions/r0001/ready", 200, {"name": "hotel", "ready": True}),
        ("/v2/models/hotel/versions/r0001", 200, {"name": "hotel", "versions": ["r0001"]}),
        ("/v2/models/hotel/versions/2", 404, {"code": "not_found"}),
        ("/v2/models/hotel/versions/2/ready", 404, {"code": "not_found"}),
        ("/v2/models/motel", 404, {"code": "not_found"}),
        ("/v2/nothing", 404, {"code": "not_found"}),
        ("/v2/models/hotel/nothing", 404, {"code": "not_found"}),
        ("/v2/models/hotel/infer", 405, {"code": "method_not_allowed"}),
    ],
)
def test_every_path_tells_what_the_protocol_says(path: str, status: int, told: dict[str, Any]) -> None:
    answer = reply(_door(AskedServing()), call("GET", path))
    assert answer.status == status
    assert told.items() <= read(answer).items()


def test_metadata_has_a_tensor_per_column_and_output() -> None:
    metadata = read(reply(_door(AskedServing()), call("GET", "/v2/models/hotel")))
    inputs = {one["name"]: one["datatype"] for one in metadata["inputs"]}
    assert inputs == {
        **dict.fromkeys(("booking", "booked_at", "arrival_at", "city", "deposit"), "BYTES"),
        "price": "FP64",
        "nights": "INT64",
    }
    assert {one["name"]: one["datatype"] for one in metadata["outputs"]} == {
        "score": "FP64",
        "decision": "BOOL",
        "prediction_id": "BYTES",
        "release": "BYTES",
        "fallback": "BYTES",
    }
    assert all(one["shape"] == [-1, 1] for one in metadata["inputs"] + metadata["outputs"])


def test_a_product_that_cannot_be_asked_is_not_ready_and_the_index_says_why() -> None:
    serving = AskedServing()
    door = _door(serving)
    ready = read(reply(door, call("POST", "/v2/repository/index")))
    assert ready == [{"name": "hotel", "version": "r0001", "state": "READY", "reason": ""}]
    serving.down()
    for path in ("/v2/health/ready", "/v2/models/hotel/ready", "/v2/models/hotel"):
        assert reply(door, call("GET", path)).status == 503
    assert reply(door, call("GET", "/v2/health/live")).status == 200
    (line,) = read(reply(door, call("POST", "/v2/repository/index")))
    assert line["state"] == "UNAVAILABLE"
    assert "no release" in line["reason"]
    assert read(reply(door, call("POST", "/v2/repository/index", b'{"ready": true}'))) == []
    assert reply(door, call("POST", "/v2/repository/index", b"[1]")).status == 400


def test_releases_are_not_loaded_from_here() -> None:
    answer = reply(_door(AskedServing()), call("POST", "/v2/repository/models/hotel/load", b"{}"))
    assert answer.status == 403
    assert "seatrial release" in read(answer)["error"]


def test_a_column_per_tensor_becomes_rows_and_the_id_comes_back() -> None:
    serving = AskedServing()
    answer = _infer(serving, _tensors(row(1), row(2, price=900.0)), id="mine")
    assert answer.status == 200, answer.body
    assert serving.requests[-1].rows == [row(1), row(2, price=900.0)]
    told = read(answer)
    assert (told["model_name"], told["model_version"], told["id"]) == ("hotel", "r0001", "mine")
    outputs = {one["name"]: one["data"] for one in told["outputs"]}
    assert outputs["decision"] == [False, True]
    assert outputs["prediction_id"] == ["p0", "p1"]
    assert "parameters" not in told


def test_of_one_row_the_prediction_id_is_a_parameter_too() -> None:
    told = read(_infer(AskedServing(), _tensors(row(1))))
    assert told["parameters"] == {"prediction_id": "p0"}
    assert "id" not in told


def test_nullable_columns_may_be_left_out_and_nan_or_null_is_null() -> None:
    serving = AskedServing(ColumnContract(name="area", type="float", role="feature"))
    heads, tail = _packed(
        _keys("b1", "b2"),
        ("price", "FP32", [2], np.array([1, 2], "<f4").tobytes()),
        ("area", "FP64", [2], np.array([math.nan, 5.0]).tobytes()),
    )
    nights = {"name": "nights", "datatype": "INT64", "shape": [2], "data": [None, 3]}
    assert _infer(serving, [*heads, nights], tail).status == 200
    assert [(one["area"], one["nights"], one["city"]) for one in serving.rows] == [
        (None, None, None),
        (5.0, 3, None),
    ]


def test_a_wide_tensor_stands_for_the_features_that_are_numbers() -> None:
    serving = AskedServing()
    heads, tail = _packed(
        _keys("b1", "b2"), ("features", "FP32", [2, 2], np.array([[9, 1], [8, 2]], "<f4").tobytes())
    )
    assert _infer(serving, heads, tail).status == 200
    assert [(one["price"], one["nights"]) for one in serving.rows] == [(9.0, 1), (8.0, 2)]
    heads, tail = _packed(_keys("b1"), ("features", "FP64", [1, 2], np.array([[9, 1.5]]).tobytes()))
    assert fields(_infer(serving, heads, tail)) == [(0, "nights")]
    heads, tail = _packed(_keys("b1"), ("features", "FP64", [1, 3], np.zeros((1, 3)).tobytes()))
    assert fields(_infer(serving, heads, tail)) == [(None, "features")]
    both = [{"name": "price", "datatype": "FP64", "shape": [1], "data": [1]}]
    heads, tail = _packed(_keys("b1"), ("features", "FP64", [1, 2], np.ones((1, 2)).tobytes()))
    assert fields(_infer(serving, [*heads, *both], tail)) == [(None, "price")]


@pytest.mark.parametrize("kind", ["FP16", "FP32", "FP64", "UINT8", "UINT64", "INT16"])
def test_numbers_of_every_width_are_read_as_they_are(kind: str) -> None:
    serving = AskedServing()
    dtype = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "UINT8": "u1", "UINT64": "<u8", "INT16": "<i2"}[
        kind
    ]
    heads, tail = _packed(_keys("b1", "b2"), ("price", kind, [2, 1], np.array([7, 250], dtype).tobytes()))
    assert _infer(serving, heads, tail).status == 200
    assert [one["price"] for one in serving.rows] == [7.0, 250.0]


def test_bf16_is_the_upper_half_of_a_float() -> None:
    serving = AskedServing()
    halves = (np.array([1.5, 96.0], "<f4").view("<u4") >> 16).astype("<u2").tobytes()
    heads, tail = _packed(_keys("b1", "b2"), ("price", "BF16", [2], halves))
    assert _infer(serving, heads, tail).status == 200
    assert [one["price"] for one in serving.rows] == [1.5, 96.0]


def test_truth_values_are_single_bytes_of_0_or_1() -> None:
    serving = AskedServing(ColumnContract(name="flag", type="bool", required=True))
    price = ("price", "FP64", [2], np.ones(2).tobytes())
    heads, tail = _packed(_keys("b1", "b2"), price, ("flag", "BOOL", [2], b"\x00\x01"))
    assert _infer(serving, heads, tail).status == 200
    assert [one["flag"] for one in serving.rows] == [False, True]
    heads, tail = _packed(_keys("b1", "b2"), price, ("flag", "BOOL", [2], b"\x00\x02"))
    assert fields(_infer(serving, heads, tail)) == [(None, "flag")]


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("price", {"datatype": "BOOL", "data": [True]}),
        ("price", {"datatype": "BYTES", "data": ["100"]}),
        ("price", {"datatype": "FP128"}),
        ("price", {"shape": [1, 2], "data": [1.0, 2.0]}),
        ("price", {"shape": []}),
        ("price", {"shape": [-1]}),
        ("price", {"shape": [2]}),
        ("price", {"data": [1.0, 2.0]}),
        ("price", {"data": []}),
        ("price", {"data": [[1.0, 2.0]]}),
        ("price", {"parameters": {"content_type": "hdf5"}}),
        ("price", {"parameters": {"shared_memory_region": "a"}}),
        ("nights", {"datatype": "FP64", "data": [2.0]}),
    ],
)
def test_a_tensor_that_cannot_be_read_is_named(column: str, change: Tensor) -> None:
    answer = _infer(AskedServing(), _tensors(row(1), **{column: change}))
    assert answer.status == 400
    assert fields(answer) == [(None, column)]


@pytest.mark.parametrize(
    ("column", "datatype", "value"),
    [
        ("price", "FP64", "1"),
        ("price", "FP64", True),
        ("price", "FP64", -1.0),
        ("price", "INT8", 300),
        ("nights", "INT64", 1.5),
        ("nights", "INT64", 2**63),
        ("booking", "BYTES", 5),
        ("booking", "BYTES", None),
        ("deposit", "BYTES", "half"),
        ("booked_at", "BYTES", "2024-12-01T12:00:00"),
    ],
)
def test_a_value_that_breaks_datatype_or_contract_is_named_with_its_row(
    column: str, datatype: str, value: object
) -> None:
    change = {"datatype": datatype, "data": [row(1)[column] if column != "price" else 1, value]}
    answer = _infer(AskedServing(), _tensors(row(1), row(2), **{column: change}))
    assert answer.status == 400
    assert fields(answer) == [(1, column)]


def test_numbers_without_end_and_missing_ones_are_refused_where_the_contract_refuses_them() -> None:
    for number in (math.inf, -math.inf, math.nan):
        heads, tail = _packed(_keys("b1"), ("price", "FP64", [1], np.array([number]).tobytes()))
        assert fields(_infer(AskedServing(), heads, tail)) == [(0, "price")]


def test_all_faults_are_named_at_once() -> None:
    tensors = _tensors(row(1), row(2), booking={}, price={"datatype": "BOOL"}, nights={"data": [-1, 2]})
    answer = _infer(
        AskedServing(), [*tensors, {"name": "nigts", "datatype": "INT64", "shape": [2], "data": [1, 2]}]
    )
    assert answer.status == 400
    assert sorted(fields(answer), key=str) == [
        (0, "nights"),
        (None, "booking"),
        (None, "nigts"),
        (None, "price"),
    ]
    assert "did you mean nights" in answer.body.decode()


def test_values_of_classified_columns_are_not_shown() -> None:
    secret = ColumnContract(name="card", type="string", classification="restricted")
    serving = AskedServing(secret)
    heads, tail = _packed(
        _keys("b1"),
        ("price", "FP64", [1], np.ones(1).tobytes()),
        ("card", "BYTES", [1], struct.pack("<I", 3) + b"\xff42"),
    )
    answer = _infer(serving, heads, tail)
    assert fields(answer) == [(0, "card")]
    assert "42" not in read(answer)["details"][0]["received"]


def test_text_may_come_in_base64_and_arrays_as_json() -> None:
    serving = AskedServing(ColumnContract(name="tags", type="array"))
    tags = {"name": "tags", "datatype": "BYTES", "shape": [1], "data": ['["a", 1]']}
    coded = {"data": ["YjE="], "parameters": {"content_type": "base64"}}
    assert _infer(serving, [*_tensors(row(1), booking=coded), tags]).status == 200
    assert (serving.rows[0]["booking"], serving.rows[0]["tags"]) == ("b1", '["a",1]')
    coded["data"] = ["=="]
    assert fields(_infer(serving, _tensors(row(1), booking=coded))) == [(0, "booking")]


def test_outputs_go_where_they_are_asked_for() -> None:
    wanted = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "decision"}]
    answer = _infer(AskedServing(), _tensors(row(1), row(2, price=666)), outputs=wanted)
    length = int(dict(answer.headers)["inference-header-content-length"])
    assert answer.content_type == "application/octet-stream"
    head = json.loads(answer.body[:length])
    assert [one["name"] for one in head["outputs"]] == ["score", "decision"]
    assert head["outputs"][0]["parameters"] == {"binary_data_size": 16}
    assert head["outputs"][1]["data"] == [False, True]
    first, second = np.frombuffer(answer.body[length:], "<f8").tolist()
    assert first == pytest.approx(0.101)
    assert math.isnan(second)


def test_a_missing_score_is_null_in_json_and_the_fallback_is_told() -> None:
    told = read(_infer(AskedServing(), _tensors(row(1, price=666))))
    outputs = {one["name"]: one["data"] for one in told["outputs"]}
    assert (outputs["score"], outputs["fallback"]) == ([None], ["model_failed"])


def test_binary_output_may_be_asked_for_as_a_whole_but_for_some() -> None:
    wanted = [{"name": "release"}, {"name": "decision", "parameters": {"binary_data": False}}]
    answer = _infer(AskedServing(), _tensors(row(1)), outputs=wanted, parameters={"binary_data_output": True})
    length = int(dict(answer.headers)["inference-header-content-length"])
    assert answer.body[length:] == _texts("r0001")


@pytest.mark.parametrize(
    "wanted",
    [
        [{"name": "scores"}],
        [{"name": "score"}, {"name": "score"}],
        [{"name": "score", "parameters": {"classification": 2}}],
        [{"name": "score"}] * 100,
        [{"name": "score", "parameters": {"binary_data": "yes"}}],
    ],
)
def test_outputs_that_are_not_there_are_refused(wanted: list[Tensor]) -> None:
    assert _infer(AskedServing(), _tensors(row(1)), outputs=wanted).status == 400


def test_the_deadline_is_the_shorter_of_body_and_header() -> None:
    serving = AskedServing()
    _infer(serving, _tensors(row(1)), parameters={"timeout": 50_000})
    text = json.dumps({"inputs": _tensors(row(1)), "parameters": {"timeout": 50_000}}).encode()
    asked = call("POST", "/v2/models/hotel/infer", text, x_envoy_expected_rq_timeout_ms="20")
    assert reply(_door(serving), asked).status == 200
    _infer(serving, _tensors(row(1)), parameters={"timeout": 0, "priority": 1, "mine": "x"})
    assert serving.deadlines == [0.05, 0.02, None]
    for timeout in (-1, True, 1.5, "1"):
        assert _infer(serving, _tensors(row(1)), parameters={"timeout": timeout}).status == 400


def test_idempotency_keys_and_trace_ids_reach_the_engine() -> None:
    serving = AskedServing()
    text = json.dumps({"inputs": _tensors(row(1))}).encode()
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    asked = call("POST", "/v2/models/hotel/infer", text, idempotency_key="header", traceparent=trace)
    reply(_door(serving), asked)
    _infer(serving, _tensors(row(1)), parameters={"idempotency_key": "body"})
    assert [one.idempotency_key for one in serving.requests] == ["header", "body"]
    assert serving.requests[0].trace_id == "a" * 32
    assert _infer(serving, _tensors(row(1)), parameters={"idempotency_key": "x" * 256}).status == 400


def test_the_body_may_be_compressed_and_the_answer_is_where_that_is_accepted() -> None:
    rows = [row(number) for number in range(200)]
    text = json.dumps({"inputs": _tensors(*rows)}).encode()
    for encoding, pack, unpack in (
        ("gzip", gzip.compress, gzip.decompress),
        ("deflate", zlib.compress, zlib.decompress),
    ):
        asked = call(
            "POST", "/v2/models/hotel/infer", pack(text), content_encoding=encoding, accept_encoding=encoding
        )
        answer = reply(_door(AskedServing()), asked)
        assert (answer.status, dict(answer.headers)["content-encoding"]) == (200, encoding)
        assert len(json.loads(unpack(answer.body))["outputs"][0]["data"]) == 200
    refused = call("POST", "/v2/models/hotel/infer", text, accept_encoding="gzip;q=0, br, deflate;q=x")
    assert "content-encoding" not in dict(reply(_door(AskedServing()), refused).headers)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"junk", "gzip", 400),
        (gzip.compress(b"{}")[:-3], "gzip", 400),
        (gzip.compress(b"{}") + b"more", "gzip", 400),
        (gzip.compress(bytes(50_000_000)), "gzip", 413),
        (zlib.compress(bytes(50_000_000)), "deflate", 413),
        (b"{}", "br", 415),
        (b"", "gzip", 400),
    ],
)
def test_a_body_that_cannot_be_decompressed_is_refused(body: bytes, encoding: str, status: int) -> None:
    asked = call("POST", "/v2/models/hotel/infer", body, content_encoding=encoding)
    assert reply(_door(AskedServing()), asked).status == status


@pytest.mark.parametrize("header", ["-1", "x", "", "99999999", "1e3", "٣", "9" * 5000])
def test_a_json_length_that_cannot_be_is_refused(header: str) -> None:
    asked = call("POST", "/v2/models/hotel/infer", b"{}", inference_header_content_length=header)
    assert reply(_door(AskedServing()), asked).status == 400


def test_sizes_that_do_not_fill_the_bytes_are_refused() -> None:
    heads, tail = _packed(_keys("b1"), ("price", "FP64", [1], np.ones(1).tobytes()))
    for wrong in (tail + b"x", tail[:-1]):
        assert _infer(AskedServing(), heads, wrong).status == 400
    for size in (-8, 2**70, "8", True, 1.5):
        heads[1]["parameters"]["binary_data_size"] = size
        assert _infer(AskedServing(), heads, tail).status == 400
    both = [{**heads[0], "data": ["b1"]}, heads[1]]
    heads[1]["parameters"]["binary_data_size"] = 8
    assert fields(_infer(AskedServing(), both, tail)) == [(None, "booking")]


def test_an_element_that_says_a_wrong_length_is_refused() -> None:
    for data in (b"\x05\x00\x00\x00ab", b"\xff\xff\xff\xff", b"\x01\x00", _texts("a") + _texts("b")):
        heads, tail = _packed(("booking", "BYTES", [1], data), ("price", "FP64", [1], np.ones(1).tobytes()))
        assert fields(_infer(AskedServing(), heads, tail)) == [(None, "booking")]


def test_raw_bytes_are_for_a_product_with_one_required_column() -> None:
    asked = call("POST", "/v2/models/hotel/infer", _texts("b1"), inference_header_content_length="0")
    answer = reply(_door(AskedServing()), asked)
    assert answer.status == 400
    assert "booking, price" in read(answer)["error"]


def test_too_many_rows_are_refused_before_they_are_read() -> None:
    door = _door(AskedServing(), request_rows=3)
    for count in (4, 10**30):
        inputs = [{"name": "booking", "datatype": "BYTES", "shape": [count], "data": []}]
        asked = call("POST", "/v2/models/hotel/infer", json.dumps({"inputs": inputs}).encode())
        assert reply(door, asked).status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"inputs": 5}',
        b'{"inputs": []}',
        b'{"inputs": [1]}',
        b"[" * 100_000,
        b'{"inputs": [], "id": 1}',
        b'{"inputs":[{"name":"price","shape":[1],"datatype":"FP64","data":[1e999]}]}',
        b'\xff\xfe{"inputs": []}',
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    assert reply(_door(AskedServing()), call("POST", "/v2/models/hotel/infer", body)).status == 400


def test_only_its_content_types_are_taken() -> None:
    text = json.dumps({"inputs": _tensors(row(1))}).encode()
    for kind, status in (
        ("application/json; charset=utf-8", 200),
        ("application/octet-stream", 200),
        ("text/plain", 415),
    ):
        asked = call("POST", "/v2/models/hotel/infer", text, content_type=kind)
        assert reply(_door(AskedServing()), asked).status == status


def test_callers_need_the_scope_but_for_health_and_rows_are_charged() -> None:
    guard = Everyone("predict")
    door = _door(AskedServing(), guard)
    text = json.dumps({"inputs": _tensors(row(1), row(2))}).encode()
    for method, path in (
        ("GET", "/v2"),
        ("GET", "/v2/models/hotel"),
        ("GET", "/v2/models/hotel/ready"),
        ("POST", "/v2/models/hotel/infer"),
    ):
        assert reply(door, call(method, path, text)).status == 401
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert reply(door, call("GET", path)).status == 200
    guard.closed = ()
    answer = reply(door, call("POST", "/v2/models/hotel/infer", text))
    assert (guard.charged, dict(answer.headers)["ratelimit"]) == (2, "left")

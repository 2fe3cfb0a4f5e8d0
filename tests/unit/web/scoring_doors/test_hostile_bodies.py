"""Bodies that lie: whatever comes, the doors answer with a 4xx or a good answer, and with bounded memory."""

import io
import json
import struct
import tracemalloc
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.web.scoring.arrow import arrow_rows
from seatrial.web.scoring.mlflow import CSV, MlflowDoor
from seatrial.web.scoring.oip import OipDoor
from seatrial.web.scoring.refusals import Refusal
from tests.doors import AskedServing, Everyone, as_serving, call, reply
from tests.hotel import row

_MEMORY = 64 * 1024 * 1024
_MANY = settings(max_examples=50, deadline=None)
_servings = as_serving(AskedServing())
_OIP = OipDoor(_servings, Everyone())
_MLFLOW = MlflowDoor(_servings, Everyone())


def _arrow() -> bytes:
    file = io.BytesIO()
    frame = pl.DataFrame([row(number) for number in range(3)])
    frame.with_columns(pl.col("booked_at").str.to_datetime(time_zone="UTC")).write_ipc_stream(file)
    return file.getvalue()


def _infer() -> tuple[bytes, int]:
    keys = b"".join(struct.pack("<I", 2) + key for key in (b"b1", b"b2"))
    price = struct.pack("<2d", 1.0, 2.0)
    inputs = [
        {"name": "booking", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(keys)}},
        {
            "name": "price",
            "datatype": "FP64",
            "shape": [2, 1],
            "parameters": {"binary_data_size": len(price)},
        },
        {"name": "nights", "datatype": "INT64", "shape": [2], "data": [1, 2]},
    ]
    text = json.dumps({"inputs": inputs}).encode()
    return text + keys + price, len(text)


_ARROW = _arrow()
_BODY, _LENGTH = _infer()
_PLACES = st.integers(0, 10**6)
_BYTES = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [b"\xff" * 8, b"\x00" * 8, b"\xff\xff\xff\x7f", struct.pack("<q", 2**62), struct.pack("<q", -8), b"\x01"]
)
_EDITS = st.lists(st.tuples(_PLACES, _BYTES), min_size=1, max_size=6)


def _edited(body: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    changed = bytearray(body)
    for place, new in edits:
        at = place % len(changed)
        changed[at : at + len(new)] = new
    return bytes(changed)


def _bounded(act: Any) -> Any:
    """What it gives, in bounded memory."""
    tracemalloc.start()
    try:
        given = act()
        assert tracemalloc.get_traced_memory()[1] < _MEMORY
        return given
    finally:
        tracemalloc.stop()


def _is_answered(method: str, path: str, door: Any, body: bytes, **headers: str) -> None:
    answer = _bounded(lambda: reply(door, call(method, path, body, **headers)))
    assert answer.status == 200 or 400 <= answer.status < 500, (answer.status, answer.body)


def _reads_or_refuses(body: bytes) -> None:
    assert _bounded(lambda: _status(body)) in (200, 400, 413)


def _status(body: bytes) -> int:
    try:
        arrow_rows(body)
    except Refusal as refusal:
        return refusal.status
    return 200


@_MANY
@given(_EDITS)
def test_a_damaged_arrow_stream_is_read_or_refused(edits: list[tuple[int, bytes]]) -> None:
    _reads_or_refuses(_edited(_ARROW, edits))


@_MANY
@given(st.binary(max_size=300), st.booleans())
def test_bytes_that_are_no_arrow_stream_are_refused(body: bytes, starts_like_one: bool) -> None:
    _reads_or_refuses(b"\xff\xff\xff\xff" + struct.pack("<i", len(body)) + body if starts_like_one else body)


@_MANY
@given(_EDITS, st.sampled_from([0, -1, 1, 7, 10**6]))
def test_a_damaged_infer_request_is_answered_or_refused(edits: list[tuple[int, bytes]], shift: int) -> None:
    header = str(max(0, _LENGTH + shift))
    for length in (header, str(_LENGTH)):
        body = _edited(_BODY, edits)
        _is_answered("POST", "/v2/models/hotel/infer", _OIP, body, inference_header_content_length=length)


@_MANY
@given(
    st.binary(max_size=200),
    st.sampled_from(["0", "1", "199", None]),
    st.sampled_from(["", "gzip", "deflate"]),
)
def test_any_bytes_are_answered_by_the_infer_door(body: bytes, length: str | None, encoding: str) -> None:
    headers = {} if length is None else {"inference_header_content_length": length}
    if encoding:
        headers["content_encoding"] = encoding
    _is_answered("POST", "/v2/models/hotel/infer", _OIP, body, **headers)


_NUMBERS = st.integers(-3, 3) | st.sampled_from([2**31, 2**63, -(2**63), 10**40]) | st.floats()
_SCALARS = st.none() | st.booleans() | _NUMBERS | st.text(max_size=5) | st.sampled_from(["price", "b1"])
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
_TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["booking", "price", "nights", "features", "other"]),
        "shape": st.lists(st.integers(-1, 3) | st.sampled_from([2**40, 10**30]), max_size=3),
        "datatype": st.sampled_from(["BYTES", "FP64", "INT64", "BOOL", "UINT8", "FP17"]),
    },
    optional={
        "data": st.lists(_JSON, max_size=4),
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_size", "content_type", "binary_data"]), _SCALARS, max_size=2
        ),
    },
)


@_MANY
@given(
    st.lists(_TENSOR, max_size=4),
    st.dictionaries(st.sampled_from(["timeout", "id", "x"]), _SCALARS, max_size=2),
)
def test_tensors_of_any_shape_are_answered_or_refused(tensors: list[Any], parameters: dict[str, Any]) -> None:
    body = json.dumps({"inputs": tensors, "parameters": parameters}).encode()
    _is_answered("POST", "/v2/models/hotel/infer", _OIP, body)


@_MANY
@given(
    st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"]), _JSON, _JSON
)
def test_any_json_is_answered_by_invocations(form: str, value: Any, cell: Any) -> None:
    for body in (
        {form: value},
        {form: [{"booking": cell, "price": value}]},
        {form: {"price": value, "columns": cell}},
    ):
        text = json.dumps(body).encode()
        _is_answered("POST", "/invocations", _MLFLOW, text, content_type="application/json")


@_MANY
@given(st.text('bp1,."\n\r\0é', max_size=60))
def test_any_text_is_answered_as_csv(text: str) -> None:
    for body in (text, f"booking,price\n{text}"):
        _is_answered("POST", "/invocations", _MLFLOW, body.encode(), content_type=CSV)

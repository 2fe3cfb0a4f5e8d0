"""Laws of the doors: whatever bytes come, and whatever rows, the verdict is the contract's and never a 5xx."""

import asyncio
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.serve.serving import Serving
from seatrial.web.scoring.app import ScoringApp
from seatrial.web.scoring.call import Call, Reply
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import START, NamedRuntime, SettableSource, row, stored_release

PREDICT, INVOCATIONS = "/v1/products/hotel/predict", "/invocations"
INFER, OUTCOMES = "/v2/models/hotel/infer", "/v1/products/hotel/outcomes"
ARROW = "application/vnd.apache.arrow.stream"
ABSENT = object()


class World:
    """An application with one product, in a loop of its own."""

    def __init__(self) -> None:
        artifacts = MemoryArtifacts()
        source = SettableSource(stored_release(artifacts))
        self.serving = Serving(
            "hotel", source, artifacts, NamedRuntime(), MemoryJournal().writer(), MemoryClock(START)
        )
        self.app = ScoringApp([self.serving])
        self.runner = asyncio.Runner()
        self.runner.run(self.app.start())

    def post(self, path: str, body: bytes, kind: str = "application/json", query: str = "") -> Reply:
        async def read() -> bytes:
            return body

        headers = {"host": "localhost", "content-type": kind}
        return self.runner.run(self.app.answer(Call("POST", path, query, headers, read)))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.runner.run(made.app.stop())
    made.runner.close()


# A field with a sound value or a faulty one, and whether it is sound, by the contract as it reads, not as it is coded.
numbers = st.one_of(st.floats(-10, 6000), st.integers(-5, 6000))
anything = st.one_of(
    st.none(), st.booleans(), numbers, st.text(max_size=4), st.lists(st.integers(), max_size=2)
)


def price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 5000


def nights(value: Any) -> bool:
    """A whole number, written as one: 2.0 is none."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def deposit(value: Any) -> bool:
    return value is None or value in ("none", "full")


def city(value: Any) -> bool:
    return value is None or isinstance(value, str)


SOUND = {"price": price, "nights": nights, "deposit": deposit, "city": city}
given_values = st.fixed_dictionaries(
    {},
    optional={
        "price": st.one_of(numbers, anything),
        "nights": st.one_of(st.integers(-3, 9), anything),
        "deposit": st.one_of(st.sampled_from(["none", "full", "half"]), anything),
        "city": anything,
        "extra": anything,
    },
)


def faults_of(changes: dict[str, Any]) -> set[str]:
    return {name for name, value in changes.items() if name == "extra" or not SOUND[name](value)}


@given(changes=st.lists(given_values, min_size=1, max_size=6))
def test_rows_are_refused_for_exactly_the_fields_that_break_the_contract(
    world: World, changes: list[dict[str, Any]]
) -> None:
    rows = [row(number, **one) for number, one in enumerate(changes)]
    wanted = {(number, name) for number, one in enumerate(changes) for name in faults_of(one)}
    reply = world.post(PREDICT, json.dumps({"rows": rows}).encode())
    told = json.loads(reply.body)
    assert reply.status == (400 if wanted else 200)
    assert {(fault["row"], fault["field"]) for fault in told.get("details", [])} == wanted
    bad = {number for number, _ in wanted}
    partial = json.loads(world.post(PREDICT, json.dumps({"rows": rows, "partial": True}).encode()).body)
    assert [one["row"] for one in partial["predictions"]] == [n for n in range(len(rows)) if n not in bad]
    assert {(fault["row"], fault["field"]) for fault in partial["faults"]} == wanted


@given(changes=st.lists(given_values, min_size=1, max_size=4))
def test_the_doors_for_json_agree_on_every_row(world: World, changes: list[dict[str, Any]]) -> None:
    rows = [row(number, **one) for number, one in enumerate(changes)]
    native = world.post(PREDICT, json.dumps({"rows": rows}).encode())
    other = world.post(INVOCATIONS, json.dumps({"dataframe_records": rows}).encode())
    assert native.status == other.status
    if native.status == 400:
        assert json.loads(native.body)["details"] == json.loads(other.body)["details"]
    else:
        scores = [
            [one["score"] for one in json.loads(reply.body)["predictions"]] for reply in (native, other)
        ]
        assert scores[0] == scores[1]


@given(
    prices=st.lists(
        st.one_of(st.none(), st.floats(-10, 6000), st.just(math.nan), st.just(math.inf)), min_size=1
    )
)
def test_an_arrow_stream_gets_the_verdict_of_its_values(world: World, prices: list[float | None]) -> None:
    table = pl.DataFrame([row(number) for number in range(len(prices))])
    stream = io.BytesIO()
    table.with_columns(pl.Series("price", prices, dtype=pl.Float64)).write_ipc_stream(stream)
    bad = [number for number, value in enumerate(prices) if not price(value)]
    reply = world.post(PREDICT, stream.getvalue(), ARROW)
    assert reply.status == (400 if bad else 200)
    if bad:
        assert [fault["row"] for fault in json.loads(reply.body)["details"]] == bad
    partial = world.post(PREDICT, stream.getvalue(), ARROW, query="partial=true")
    assert pl.read_ipc_stream(io.BytesIO(partial.body))["row"].to_list() == [
        number for number in range(len(prices)) if number not in bad
    ]


STREAM = io.BytesIO()
pl.DataFrame([row(1), row(2)]).write_ipc_stream(STREAM)
TENSOR = b'{"inputs":[{"name":"price","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}}]}'
SEEDS = {
    (PREDICT, "application/json"): json.dumps({"rows": [row(1)], "partial": False}).encode(),
    (PREDICT, ARROW): STREAM.getvalue(),
    (OUTCOMES, "application/json"): b'{"outcomes":[{"key":"b1","is_canceled":true,"revision":1}]}',
    ("/v1/products/hotel/actions", "application/json"): b'{"actions":[{"key":"b1","done":true}]}',
    (INVOCATIONS, "application/json"): json.dumps({"dataframe_records": [row(1)]}).encode(),
    (INVOCATIONS, "text/csv"): b"booking,price\nb1,100.0\n",
    (INFER, "application/json"): TENSOR + b"\x00" * 8,
}
edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "double", "insert"]), st.floats(0, 0.999), st.binary(max_size=6)
    ),
    min_size=1,
    max_size=4,
)


def edited(body: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for what, where, some in changes:
        place = int(where * len(body))
        if what == "flip" and body:
            body = body[:place] + bytes([body[place] ^ (some[0] if some else 1)]) + body[place + 1 :]
        elif what == "cut":
            body = body[:place]
        elif what == "double":
            body = body + body[place:]
        else:
            body = body[:place] + some + body[place:]
    return body


@pytest.mark.parametrize("door", SEEDS, ids=" ".join)
@given(changes=edits)
def test_no_edit_of_a_body_gets_more_than_a_refusal(
    world: World, door: tuple[str, str], changes: list[tuple[str, float, bytes]]
) -> None:
    path, kind = door
    reply = world.post(path, edited(SEEDS[door], changes), kind)
    assert reply.status in (200, 400, 413, 415)
    if reply.status != 200:
        told = json.loads(reply.body)
        assert told["error"]
        assert told["code"] in ("malformed", "request_invalid", "too_large", "unsupported_media_type")


@pytest.mark.parametrize("door", SEEDS, ids=" ".join)
@given(body=st.binary(max_size=200))
def test_no_bytes_whatever_get_more_than_a_refusal(world: World, door: tuple[str, str], body: bytes) -> None:
    path, kind = door
    assert world.post(path, body, kind).status in (200, 400, 413)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ["rows", "partial", "outcomes", "actions", "inputs", "instances", "dataframe_split", "params", "id"]


@given(body=st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=4))
@pytest.mark.parametrize("path", [PREDICT, OUTCOMES, INVOCATIONS, INFER])
def test_no_json_of_another_shape_gets_more_than_a_refusal(
    world: World, path: str, body: dict[str, Any]
) -> None:
    assert world.post(path, json.dumps(body).encode()).status in (200, 400, 413)

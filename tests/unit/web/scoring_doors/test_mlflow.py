"""MLflow's scoring protocol: every format becomes the same rows, and what is refused."""

import asyncio
import io
import json
from typing import Any

import polars as pl
import pytest

from seatrial.contract.model import ColumnContract
from seatrial.errors import Overloaded
from seatrial.web.scoring.call import Reply
from seatrial.web.scoring.mlflow import CSV, PARQUET, MlflowDoor
from seatrial.web.scoring.parquet_rows import ParquetReader
from tests.doors import AskedServing, Everyone, as_serving, call, fields, read, reply
from tests.hotel import hotel_product, loaded, row

_JSON = "application/json"
_ROWS = [row(1), row(2, price=900.0)]
_COLUMNS = list(_ROWS[0])


def _invoke(serving: AskedServing, body: object, kind: str = _JSON, **limits: int) -> Reply:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    door = MlflowDoor(as_serving(serving), Everyone(), **limits)
    return reply(door, call("POST", "/invocations", sent, content_type=kind))


def _parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"dataframe_records": _ROWS}, _JSON),
        ({"instances": _ROWS}, "application/json; charset=utf-8"),
        ({"dataframe_split": {"columns": _COLUMNS, "data": [list(one.values()) for one in _ROWS]}}, _JSON),
        (
            {
                "dataframe_split": {
                    "index": [7, 8],
                    "columns": _COLUMNS,
                    "data": [list(one.values()) for one in _ROWS],
                }
            },
            'application/json; charset="UTF-8"',
        ),
        ({"inputs": {name: [one[name] for one in _ROWS] for name in _COLUMNS}, "params": None}, _JSON),
        (pl.DataFrame(_ROWS).write_csv().encode(), CSV),
        (b"\xef\xbb\xbf" + pl.DataFrame(_ROWS).write_csv(line_terminator="\r\n").encode(), CSV),
        (_parquet(pl.DataFrame(_ROWS)), PARQUET),
        (
            _parquet(
                pl.DataFrame(_ROWS).with_columns(
                    pl.col("booked_at", "arrival_at").str.to_datetime(time_zone="UTC")
                )
            ),
            PARQUET,
        ),
    ],
)
def test_every_format_gives_the_same_answers(body: object, kind: str) -> None:
    serving = AskedServing()
    answer = _invoke(serving, body, kind)
    assert answer.status == 200, answer.body
    assert list(serving.rows) == serving.live.decoder.convert(_ROWS)
    first, second = read(answer)["predictions"]
    assert (first["prediction_id"], first["key"], first["score"], first["decision"]) == (
        "p0",
        "b1",
        0.101,
        False,
    )
    assert (second["row"], second["decision"], second["release"], second["variant"]) == (
        1,
        True,
        "r0001",
        "live",
    )


def test_a_score_that_is_missing_is_null() -> None:
    (one,) = read(_invoke(AskedServing(), {"instances": [row(1, price=666)]}))["predictions"]
    assert (one["score"], one["fallback"]) == (None, "model_failed")


@pytest.mark.parametrize(
    "body",
    [
        [row(1)],
        5,
        {},
        {"instances": [row(1)], "inputs": {}},
        {"instances": [row(1)], "more": 1},
        {"params": {}},
        {"instances": [[1, 2]]},
        {"instances": 5},
        {"instances": [row(1)], "params": {"temperature": 1}},
        {"instances": [row(1)], "params": {"partial": 1}},
        {"instances": [row(1)], "params": False},
        {"instances": [row(1)], "params": []},
        {"instances": [row(1)], "params": {"idempotency_key": "x" * 256}},
        {"inputs": [[1, 2]]},
        {"inputs": {"price": [1], "booking": ["a", "b"]}},
        {"inputs": {"price": 1}},
        {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
        {"dataframe_split": {"data": [[1, 2]]}},
        {"dataframe_split": {"columns": ["a"], "data": [], "dtypes": []}},
        {"dataframe_records": {"price": 1}},
        {"messages": []},
        b"",
        b'{"instances": [{"price": NaN}]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff",
    ],
)
def test_a_body_that_is_none_of_the_formats_is_refused(body: object) -> None:
    answer = _invoke(AskedServing(), body)
    assert answer.status == 400
    told = read(answer)
    assert told["error_code"] == "BAD_REQUEST"
    assert told["message"] == told["error"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/plain", 415),
        ("", 415),
        ("application/json; charset=latin-1", 415),
        ("application/json; version=2", 415),
        ("text/csv; charset=utf-16", 415),
        ("application/x-parquet", 415),
    ],
)
def test_other_content_types_and_charsets_are_refused(kind: str, status: int) -> None:
    assert _invoke(AskedServing(), {"instances": [row(1)]}, kind).status == status


def test_columns_go_by_name_and_the_contract_judges_them() -> None:
    answer = _invoke(AskedServing(), {"instances": [row(1), {**row(2, price="9"), "pric": 1}]})
    assert answer.status == 400
    assert sorted(fields(answer)) == [(1, "pric"), (1, "price")]


def test_with_partial_the_good_rows_are_answered_and_the_others_named() -> None:
    serving = AskedServing()
    body = {
        "dataframe_records": [row(1), row(2, nights=-1)],
        "params": {"partial": True, "idempotency_key": "k"},
    }
    told = read(_invoke(serving, body))
    assert [one["row"] for one in told["predictions"]] == [0]
    assert [fault["field"] for fault in told["faults"]] == ["nights"]
    assert serving.requests[0].idempotency_key == "k"


def test_cells_of_csv_are_read_as_tables_are() -> None:
    more = (
        ColumnContract(name="flag", type="bool"),
        ColumnContract(name="day", type="date"),
        ColumnContract(name="at", type="time"),
        ColumnContract(name="tags", type="array"),
    )
    serving = AskedServing(*more)
    header = "booking,price,nights,city,flag,day,at,tags\n"
    text = header + '" b1 ", 1e2 ,2,,True,2024-05-01,12:30:00,"[1, 2]"\nb2,nan,,Rome,,,,\n'
    assert fields(_invoke(serving, text.encode(), CSV)) == [(1, "price")]
    text = header + '" b1 ", 1e2 ,2,,True,2024-05-01,12:30:00,"[1, 2]"\n\nb2,7,,"Rome, EUR",,,,\n'
    assert _invoke(serving, text.encode(), CSV).status == 200
    first, second = serving.rows
    assert (first["booking"], first["price"], first["nights"], first["city"]) == (" b1 ", 100.0, 2, None)
    assert (first["flag"], str(first["day"]), first["at"], first["tags"]) == (
        True,
        "2024-05-01",
        "12:30:00",
        "[1,2]",
    )
    assert (second["price"], second["nights"], second["city"], second["flag"]) == (
        7.0,
        None,
        "Rome, EUR",
        None,
    )


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ("b1,cheap,2", "price"),
        ("b1,inf,2", "price"),
        ("b1,1,2.5", "nights"),
        ("b1,1,-2", "nights"),
        (",1,2", "booking"),
    ],
)
def test_cells_that_cannot_be_read_are_named(cells: str, field: str) -> None:
    answer = _invoke(AskedServing(), f"booking,price,nights\nb0,1,1\n{cells}\n".encode(), CSV)
    assert fields(answer) == [(1, field)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"booking,price\nb1\n",
        b"booking,price\nb1,2,3\n",
        b"booking,booking\nb1,b2\n",
        b'booking,price\n"b1,2\n',
        b"booking,price\n\xff,2\n",
        b"price\n" + b"1" * 200_000,
        b",booking,price\n0,b1,2\n",
        b"{}",
        b"booking,pric\n",
        b"booking,is_canceled\n",
    ],
)
def test_csv_that_is_broken_is_refused(text: bytes) -> None:
    assert _invoke(AskedServing(), text, CSV).status == 400


def test_csv_of_known_columns_and_no_rows_has_no_answers() -> None:
    assert read(_invoke(AskedServing(), b"booking,price\n", CSV)) == {"predictions": []}


def test_parquet_is_typed_and_the_contract_is_as_strict_as_with_json() -> None:
    serving = AskedServing()
    frame = pl.DataFrame(_ROWS)
    texts = _parquet(frame.with_columns(pl.col("price").cast(pl.String)))
    assert fields(_invoke(serving, texts, PARQUET)) == [(0, "price"), (1, "price")]
    naive = _parquet(frame.with_columns(booked_at=pl.datetime(2024, 12, 1)))
    assert fields(_invoke(serving, naive, PARQUET)) == [(0, "booked_at"), (1, "booked_at")]
    nested = _parquet(frame.with_columns(nights=pl.struct("price")))
    assert fields(_invoke(serving, nested, PARQUET)) == [(0, "nights"), (1, "nights")]


def test_parquet_that_is_damaged_or_too_long_is_refused_and_the_server_lives() -> None:
    whole = _parquet(pl.DataFrame(_ROWS))
    for damaged in (b"", whole[:-1], whole[:40] + b"\xff" * 40 + whole[80:]):
        assert _invoke(AskedServing(), damaged, PARQUET).status in (400, 413)
    many = _parquet(pl.select(price=pl.repeat(1.0, 5_000_000)))
    assert len(many) < 100_000
    assert _invoke(AskedServing(), many, PARQUET, request_rows=100).status == 413


def test_parquet_does_not_pile_up() -> None:
    body = _parquet(pl.DataFrame(_ROWS))

    async def many() -> list[list[dict[str, Any]] | BaseException]:
        reader = ParquetReader(at_once=1, waiting=1)
        return await asyncio.gather(*(reader.rows(body, limit=9) for _ in range(3)), return_exceptions=True)

    first, second, third = asyncio.run(many())
    assert first == second == _ROWS
    assert isinstance(third, Overloaded)


def test_of_several_products_none_is_meant() -> None:
    other = AskedServing(product="motel", live=loaded(product=hotel_product()))
    door = MlflowDoor(as_serving(AskedServing(), other), Everyone())
    answer = reply(door, call("POST", "/invocations", b"{}", content_type=_JSON))
    assert answer.status == 404
    assert read(answer)["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert "/v1/products/<product>/predict" in read(answer)["message"]


def test_ping_tells_readiness_without_a_token_and_the_version_is_ours() -> None:
    serving = AskedServing()
    door = MlflowDoor(as_serving(serving), Everyone("predict"))
    ping = reply(door, call("GET", "/ping"))
    assert (ping.status, ping.body) == (200, b"\n")
    assert reply(door, call("GET", "/version")).body.count(b".") == 2
    assert reply(door, call("POST", "/invocations", b"{}", content_type=_JSON)).status == 401
    assert reply(door, call("POST", "/ping")).status == 405
    assert reply(door, call("GET", "/invocations")).status == 401
    assert reply(door, call("GET", "/ping/more")).status == 404
    serving.down()
    assert reply(door, call("GET", "/ping")).status == 503


def test_too_many_rows_and_bytes_are_refused() -> None:
    body: dict[str, Any] = {"instances": [row(number) for number in range(4)]}
    assert _invoke(AskedServing(), body, request_rows=3).status == 413

"""Rows of a request: what they come out as, and how their faults are told."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.model import ColumnContract, RowRule, TableContract
from seatrial.errors import NotFound, RequestInvalid
from tests.contracts import WEATHER

DECODER = RowDecoder(WEATHER, ["origin", "observed_at", "wind_speed"])
SOUND = {"origin": "EWR", "observed_at": "2025-01-01T02:00:00+02:00", "wind_speed": 3}
DECODED = {"origin": "EWR", "observed_at": datetime(2025, 1, 1, tzinfo=UTC), "wind_speed": 3.0}


def faults(body: bytes) -> list[tuple[object, object]]:
    with pytest.raises(RequestInvalid) as refused:
        DECODER.decode_json(body)
    return [(fault["row"], fault["field"]) for fault in refused.value.faults]


def test_json_rows_become_python_values_in_utc() -> None:
    body = b'[{"origin": "EWR", "observed_at": "2025-01-01T02:00:00+02:00", "wind_speed": 3}]'
    rows = DECODER.decode_json(body)
    assert rows == [DECODED]
    assert isinstance(rows[0]["wind_speed"], float)
    assert rows[0]["observed_at"].tzinfo == UTC


def test_python_rows_decode_as_json_rows_do() -> None:
    assert DECODER.convert([SOUND, DECODED]) == [DECODED, DECODED]


def test_a_field_that_may_be_missing_may_be_left_out() -> None:
    rows = DECODER.convert([{name: SOUND[name] for name in ("origin", "observed_at")}])
    assert rows == [{**DECODED, "wind_speed": None}]


def test_every_faulty_row_and_field_is_named() -> None:
    body = b"""[{"origin": "LGA", "observed_at": "2025-01-01T02:00:00", "wind_speed": 71},
                {"origin": "EWR", "observed_at": "2025-01-01T02:00:00Z"},
                {"wind_speed": true, "observed_at": null},
                7]"""
    told = [
        (0, "origin"),
        (0, "observed_at"),
        (0, "wind_speed"),
        (2, "origin"),
        (2, "observed_at"),
        (2, "wind_speed"),
    ]
    assert sorted(faults(body)[:-1], key=str) == sorted(told, key=str)
    assert faults(body)[-1] == (3, "")


def test_a_fault_tells_what_was_expected_and_what_came() -> None:
    with pytest.raises(RequestInvalid) as refused:
        DECODER.convert([SOUND | {"wind_speed": "3"}])
    assert refused.value.faults == (
        {
            "row": 0,
            "field": "wind_speed",
            "expected": "a finite number, at least 0, at most 70; or null",
            "received": '"3"',
        },
    )


def test_a_misspelt_field_is_refused_with_the_likely_one() -> None:
    with pytest.raises(RequestInvalid, match=r"wind_sped: expected no such field; did you mean wind_speed\?"):
        DECODER.convert([SOUND | {"wind_sped": 3}])


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_numbers_that_are_none_are_refused(number: float) -> None:
    _, wrong = DECODER.partial([SOUND | {"wind_speed": number}])
    assert [fault["field"] for fault in wrong] == ["wind_speed"]


@pytest.mark.parametrize("body", [b"{}", b"[", b"7", b'[{"wind_speed": NaN}]', b'[{"wind_speed": 1e999}]'])
def test_a_body_that_is_no_array_of_objects_is_refused(body: bytes) -> None:
    assert faults(body) == [(None, "")]


def test_the_sound_rows_of_a_partial_request_keep_their_positions() -> None:
    good, wrong = DECODER.partial([SOUND | {"origin": None}, SOUND, "row", SOUND])
    assert good == [(1, DECODED), (3, DECODED)]
    assert [(fault["row"], fault["field"]) for fault in wrong] == [(0, "origin"), (2, "")]


def test_warnings_let_a_row_pass() -> None:
    rows = RowDecoder(WEATHER, ["sky"]).convert([{"sky": "thunderstorm"}])
    assert rows == [{"sky": "thunderstorm"}]


def test_a_decoder_of_columns_that_the_contract_lacks_is_refused() -> None:
    with pytest.raises(NotFound, match="weather has no column snow"):
        RowDecoder(WEATHER, ["snow"])


RULED = TableContract(
    name="t",
    columns=(
        ColumnContract(name="day", type="date"),
        ColumnContract(name="clock", type="time"),
        ColumnContract(name="tags", type="array"),
        ColumnContract(name="more", type="object"),
        ColumnContract(name="price", type="float", exclusive_minimum=0, multiple_of=0.01),
        ColumnContract(name="mail", type="string", format="email", pattern=".*org"),
    ),
    row_rules=(
        RowRule(name="cheap at weekends", expression="price < 100 OR clock > '12:00:00'"),
        RowRule(name="noticed only", expression="price < 1", severity="warning"),
    ),
)
FITTING = {
    "day": "2024-05-01",
    "clock": "09:30:00.50",
    "tags": [1, {"b": 1, "a": 2}],
    "more": {"b": None, "a": "é"},
    "price": 12.07,
    "mail": "a@b.org",
}


def ruled(**changes: object) -> list[tuple[object, object]]:
    _, wrong = RowDecoder(RULED, list(FITTING)).partial([FITTING | changes, FITTING])
    return [(fault["row"], fault["field"]) for fault in wrong]


def test_dates_times_arrays_and_objects_come_out_as_tables_hold_them() -> None:
    (row,) = RowDecoder(RULED, list(FITTING)).convert([FITTING])
    assert row == FITTING | {
        "day": date(2024, 5, 1),
        "clock": "09:30:00.500000",
        "tags": '[1,{"a":2,"b":1}]',
        "more": '{"a":"é","b":null}',
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("day", "2024-05-01T00:00:00"),
        ("clock", "24:00:00"),
        ("clock", "9:30"),
        ("tags", "[1]"),
        ("tags", {"a": 1}),
        ("more", []),
        ("price", 0),
        ("price", 12.075),
        ("mail", "b.org"),
        ("mail", "a@b.com"),
    ],
)
def test_a_value_that_breaks_a_rule_is_a_fault_of_its_field(name: str, value: object) -> None:
    assert ruled(**{name: value}) == [(0, name)]


def test_a_rule_in_sql_is_a_fault_of_the_fields_it_reads() -> None:
    assert ruled(price=200) == [(0, "clock, price")]
    assert ruled(price=200, clock="13:00:00") == []
    with pytest.raises(RequestInvalid) as refused:
        RowDecoder(RULED, list(FITTING)).decode_json(msgspec.json.encode([FITTING | {"price": 200}]))
    assert refused.value.faults == (
        {
            "row": 0,
            "field": "clock, price",
            "expected": "price < 100 OR clock > '12:00:00'",
            "received": '{"clock":"09:30:00.500000","price":200.0}',
        },
    )


def test_a_rule_over_columns_that_the_request_does_not_hold_is_left_to_tables() -> None:
    assert RowDecoder(RULED, ["price"]).convert([{"price": 200}]) == [{"price": 200.0}]


def test_faulty_rows_beside_others_that_break_a_rule_are_all_told() -> None:
    decoder = RowDecoder(RULED, list(FITTING))
    good, wrong = decoder.partial([FITTING | {"price": 200}, FITTING | {"day": "soon"}, FITTING])
    assert [index for index, _ in good] == [2]
    assert {fault["row"] for fault in wrong} == {0, 1}


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+01:00"])
def test_moments_outside_the_calendar_are_refused(moment: str) -> None:
    _, wrong = DECODER.partial([SOUND | {"observed_at": moment}])
    assert [fault["field"] for fault in wrong] == ["observed_at"]


SECRETIVE = TableContract(
    name="t",
    columns=(
        ColumnContract(name="name", type="string", max_length=3, classification="pii"),
        ColumnContract(name="size", type="int"),
    ),
    row_rules=(RowRule(name="named", expression="size < 9 OR name = 'a'"),),
)


@pytest.mark.parametrize(
    ("row", "received"),
    [
        ({"name": "Ada Lovelace"}, "***"),
        ({"size": "Ada"}, '"Ada"'),
        ({"nam": "Ada"}, "***"),
        ({"name": "Ada", "size": 9}, "***"),
        (["Ada"], "***"),
    ],
)
def test_faults_show_no_value_of_a_classified_column(row: object, received: str) -> None:
    decoder = RowDecoder(SECRETIVE, ["name", "size"])
    _, [fault] = decoder.partial([row])
    assert fault["received"] == received
    with pytest.raises(RequestInvalid) as refused:
        decoder.decode_json(msgspec.json.encode([row]))
    assert list(refused.value.faults) == [fault]


def test_a_body_that_is_no_list_is_not_shown_where_columns_are_classified() -> None:
    with pytest.raises(RequestInvalid) as refused:
        RowDecoder(SECRETIVE, ["name", "size"]).decode_json(b'{"name": "Ada"}')
    assert [fault["received"] for fault in refused.value.faults] == ["***"]
    with pytest.raises(RequestInvalid) as shown:
        DECODER.decode_json(b'{"name": "Ada"}')
    assert [fault["received"] for fault in shown.value.faults] == ['{"name":"Ada"}']

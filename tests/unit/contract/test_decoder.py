"""Rows of a request: what they come out as, and how their faults are told."""

from datetime import UTC, datetime

import pytest

from seatrial.contract.decoder import RowDecoder
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

"""A request means the same whichever way it is decoded, and whatever comes is told as a fault."""

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contract.check import check_table
from seatrial.contract.decoder import RowDecoder, Sent
from seatrial.contract.model import ColumnContract, RowRule, TableContract
from seatrial.errors import RequestInvalid
from tests.contracts import AT, tables, values
from tests.properties.contract.test_contract_laws import LATEST, lenient, stored

EVERY_TYPE = TableContract(
    name="every",
    columns=(
        ColumnContract(name="amount", type="float", required=True, multiple_of=0.5),
        ColumnContract(name="count", type="int"),
        ColumnContract(name="known", type="bool"),
        ColumnContract(name="text", type="string", max_length=9),
        ColumnContract(name="at", type="timestamp"),
        ColumnContract(name="day", type="date"),
        ColumnContract(name="clock", type="time"),
        ColumnContract(name="list", type="array"),
        ColumnContract(name="more", type="object"),
    ),
    row_rules=(
        RowRule(name="plain", expression="amount > count OR known"),
        RowRule(name="of times", expression="day < at"),
        RowRule(name="of numbers", expression="amount * count <> 7.5"),
        RowRule(name="left to Polars", expression="POW(count, 2) <> 9"),
        RowRule(name="left to Polars for the largest", expression="count + 1 > -9000000000000000000"),
    ),
    stop_above=1.0,
    minimum_rows=0,
)
NAMES = tuple(column.name for column in EVERY_TYPE.columns)
SOUND: dict[str, Any] = {
    "amount": 2.5,
    "count": 1,
    "known": False,
    "text": "ä",
    "at": "2025-01-01T02:00:00+02:00",
    "day": "2024-02-29",
    "clock": "12:30:00",
    "list": [1, {"a": None}],
    "more": {"b": 1, "a": [True]},
}


@given(st.data())
@settings(max_examples=50)
def test_json_python_rows_and_tables_agree(data: st.DataObject) -> None:
    table = data.draw(st.sampled_from([EVERY_TYPE]) | tables().map(lenient))
    row = st.fixed_dictionaries({column.name: values(column) for column in table.columns})
    rows = data.draw(st.lists(row, max_size=5))
    decoder = RowDecoder(table, [column.name for column in table.columns])
    good, faults = decoder.physical(rows)
    assert decoder.partial(rows)[1] == faults
    assert_same(decoder, table, rows, good)
    sent = decoder.physical_json(json.dumps({"rows": rows, "partial": True}).encode())
    assert sent == (None if faults else Sent([one for _, one in good], True, None))
    columns = {column.name: [one[column.name] for one in rows] for column in table.columns}
    assert decoder.physical_columns(columns, len(rows)) == (None if faults else [one for _, one in good])


def assert_same(
    decoder: RowDecoder, table: TableContract, rows: list[Any], good: list[tuple[int, tuple[Any, ...]]]
) -> None:
    checked = check_table(table, stored(table, rows), contract_version="1", at=AT, latest=LATEST)
    assert checked.kept.select(pl.all().to_physical()).rows() == [one for _, one in good]
    assert checked.kept.to_dicts() == [one for _, one in decoder.partial(rows)[0]]
    assert checked.kept_lines.to_list() == [index for index, _ in good]


def test_columns_may_lack_what_is_not_required_and_hold_nothing_else() -> None:
    decoder = RowDecoder(EVERY_TYPE, NAMES)
    [row] = decoder.physical_columns({"amount": [2.5]}, 1) or []
    assert row == (2.5, *[None] * 8)
    assert decoder.physical_columns({"count": [1]}, 1) is None
    assert decoder.physical_columns({"amount": [2.5], "other": [1]}, 1) is None


def test_physical_rows_hold_what_polars_stores() -> None:
    sent = RowDecoder(EVERY_TYPE, NAMES).physical_json(json.dumps({"rows": [SOUND]}).encode())
    midnight = datetime(2025, 1, 1, tzinfo=UTC)
    assert sent is not None
    assert sent.rows == [
        (
            *(2.5, 1, False, "ä", int(midnight.timestamp()) * 10**6, 19782),
            *("12:30:00", '[1,{"a":null}]', '{"a":[true],"b":1}'),
        )
    ]


@pytest.mark.parametrize(("count", "broken"), [(4, False), (3, True), (2**63 - 1, True)])
def test_rules_that_only_polars_can_judge_are_judged_by_it(count: int, broken: bool) -> None:
    decoder = RowDecoder(EVERY_TYPE, NAMES)
    rows = [SOUND | {"amount": 1.0, "count": count, "known": True}]
    assert [fault["field"] for fault in decoder.physical(rows)[1]] == ["count"] * broken
    assert (decoder.physical_json(json.dumps({"rows": rows}).encode()) is None) == broken
    checked = check_table(EVERY_TYPE, stored(EVERY_TYPE, rows), contract_version="1", at=AT, latest=LATEST)
    assert checked.kept.is_empty() == broken


def test_what_stands_beside_the_rows_is_read_too() -> None:
    decoder = RowDecoder(EVERY_TYPE, ["amount"])
    body = b'{"idempotency_key": "k", "partial": true, "rows": []}'
    assert decoder.physical_json(body) == Sent([], True, "k")
    for beside in (b'"other": 1', b'"partial": 1', b'"partial": null', b'"idempotency_key": 7'):
        assert decoder.physical_json(b'{"rows": [], ' + beside + b"}") is None


NESTED = "[" * 100_000 + "]" * 100_000
HOSTILE = st.sampled_from(
    [
        *("NaN", "-Infinity", "1e999", '"2.5"', "true", "1" * 400, "1" * 5000, "-", "0x1", "1.", "[2.5]"),
        *(
            '"\\ud800"',
            '"\\udc00\\ud800"',
            '{"\\ud800": 1}',
            NESTED,
            '{"a":' * 100_000,
            "null",
            "{}",
            "[]",
            "",
        ),
        *('{"amount": 1}', '"\\u0000"', "\x00", '"\xff"', "[NaN]", '{"a": 1e999}', "[1" * 2000),
    ]
)


@given(HOSTILE, st.sampled_from(NAMES), st.binary(max_size=4), st.integers(0, 400), st.booleans())
@settings(max_examples=50)
def test_whatever_stands_in_a_field_is_decoded_or_told(
    hostile: str, name: str, noise: bytes, place: int, noisy: bool
) -> None:
    decoder = RowDecoder(EVERY_TYPE, NAMES)
    texts = {key: json.dumps(value) for key, value in SOUND.items()} | {name: hostile}
    row = "{" + ",".join(f'"{key}":{text}' for key, text in texts.items()) + "}"
    array = f"[{row}]".encode("latin-1")
    if noisy:
        array = array[:place] + noise + array[place:]
    assert isinstance(decoder.physical_json(b'{"rows":' + array + b"}"), Sent | None)
    try:
        decoder.decode_json(array)
    except RequestInvalid as refused:
        json.dumps(refused.faults).encode()


class _Odd:
    """An object of no type that JSON has."""


def nested() -> list[Any]:
    """A list in a list, many times."""
    found: list[Any] = []
    for _ in range(10_000):
        found = [found]
    return found


NUMBERS = [float("nan"), float("inf"), 10**400, -(10**400), True, 2.5, -0.0, 1 + 2j]
SHAPES = [{1: 2}, {"\ud800": 1}, ["\ud800"], [float("nan")], [10**400], (1,), {2}]
PYTHON = st.sampled_from(
    [*NUMBERS, *SHAPES, "2.5", "\ud800", b"x", _Odd, None, datetime(2020, 1, 1, tzinfo=UTC)]
)


@given(PYTHON | st.builds(nested), st.sampled_from([*NAMES, "\ud800", "nmae", ""]))
@settings(max_examples=50)
def test_whatever_python_value_stands_in_a_field_is_decoded_or_told(value: Any, name: str) -> None:
    decoder = RowDecoder(EVERY_TYPE, NAMES)
    good, faults = decoder.physical([SOUND | {name: value}, SOUND])
    assert good[-1][0] == 1
    assert [index for index, _ in good] == ([0, 1] if not faults else [1])
    json.dumps(faults, ensure_ascii=False).encode()


def test_a_value_that_is_nested_without_end_is_a_fault_of_its_field() -> None:
    _, faults = RowDecoder(EVERY_TYPE, NAMES).physical([SOUND | {"more": {"a": nested()}}])
    assert [(fault["row"], fault["field"]) for fault in faults] == [(0, "more")]

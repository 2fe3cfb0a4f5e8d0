"""Classified values are hidden: in tables, rows of quarantine, and faults of requests."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from seatrial.contract.check import check_table
from seatrial.contract.masking import (
    MARK,
    is_sensitive,
    masked,
    masked_columns,
    masked_faults,
    masked_quarantine,
    masked_received,
    masked_row,
    rule_columns,
    sensitive,
    sensitive_anywhere,
)
from seatrial.contract.model import ColumnContract, Contract, RowRule, TableContract
from tests.contracts import WEATHER

AT = datetime(2025, 1, 1, tzinfo=UTC)
NAME = "Amelia E."
GUESTS = TableContract(
    name="guests",
    columns=(
        ColumnContract(name="id", type="int", required=True, unique=True),
        ColumnContract(name="guest", type="string", max_length=3, classification="restricted"),
        ColumnContract(name="nights", type="int", minimum=1, classification="internal"),
        ColumnContract(name="a+b", type="int", minimum=1, classification="PII"),
    ),
    unique=(("id", "guest"),),
    row_rules=(
        RowRule(name="named", expression="guest <> 'none'"),
        RowRule(name="stays", expression="nights < 100"),
    ),
    minimum_rows=0,
    stop_above=1,
)
CONTRACT = Contract(id="c", version="1", tables=(GUESTS, WEATHER))


@pytest.mark.parametrize(
    ("classification", "hidden"),
    [(None, False), ("", False), ("public", False), (" Internal ", False)]
    + [(text, True) for text in ("confidential", "restricted", "pii", "sensitive", "geheim")],
)
def test_all_is_hidden_that_is_not_said_to_be_harmless(classification: str | None, hidden: bool) -> None:
    assert is_sensitive(ColumnContract(name="x", type="int", classification=classification)) is hidden


def test_sensitive_columns_are_named_per_table_and_for_the_contract() -> None:
    assert sensitive(GUESTS) == {"guest", "a+b"}
    assert sensitive_anywhere(CONTRACT) == {"guest", "a+b"}


def test_a_table_keeps_its_shape_its_nulls_and_what_may_be_seen() -> None:
    frame = pl.DataFrame({"id": [1, 2], "guest": [NAME, None], "a+b": [7, 8], "stranger": [None, NAME]})
    shown = masked(GUESTS, frame)
    assert shown.rows() == [(1, MARK, MARK, None), (2, None, MARK, MARK)]
    assert masked(WEATHER, frame).equals(frame)


def test_columns_are_masked_by_name_where_they_are_there() -> None:
    frame = pl.DataFrame({"x": [1.5, None], "y": [1, 2]})
    assert masked_columns(frame, {"x", "z"}).rows() == [(MARK, 1), (None, 2)]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ('{"id":1,"guest":"Amelia E.","nights":0}', '{"id":1,"guest":"***","nights":0}'),
        ('{"guest":null,"email":"a@b"}', '{"guest":null,"email":"***"}'),
        ('"1,Amelia E."', MARK),
        ("1,Amelia E.", MARK),
    ],
)
def test_the_text_of_a_row_is_masked_and_hidden_whole_when_it_is_no_row(row: str, shown: str) -> None:
    assert masked_row(GUESTS, row) == shown
    assert masked_row(WEATHER, row) == row


@pytest.mark.parametrize(
    ("rule", "hidden"),
    [
        ("guest.max_length", True),
        ("nights.minimum", False),
        ("id+guest.unique", True),
        ("id.unique", False),
        ("a+b.minimum", True),
        ("named", True),
        ("stays", False),
        ("csv.ragged", True),
        ("", True),
    ],
)
def test_what_was_received_is_hidden_where_the_rule_reads_a_hidden_column(rule: str, hidden: bool) -> None:
    assert masked_received(GUESTS, rule, "7") == (MARK if hidden else "7")
    assert masked_received(WEATHER, rule, "7") == "7"


def test_a_rule_that_is_none_of_the_tables_reads_nobody_knows_what() -> None:
    assert rule_columns(GUESTS, "id+guest.unique") == frozenset({"id", "guest"})
    assert rule_columns(GUESTS, "csv.ragged") is None


def test_nothing_classified_is_left_in_rows_of_quarantine() -> None:
    frame = pl.DataFrame(
        {"id": [1, 2], "guest": [NAME, "Bo"], "nights": [0, 1], "a+b": [0, 1], "more": [NAME, NAME]}
    )
    aside = check_table(GUESTS, frame, contract_version="1", at=AT).quarantined
    foreign = aside.head(1).with_columns(source=pl.lit("forgotten"))
    shown = masked_quarantine(CONTRACT, pl.concat([aside, foreign]))
    assert NAME in aside.write_csv()
    assert NAME not in shown.write_csv()
    assert shown.drop("received", "row").equals(pl.concat([aside, foreign]).drop("received", "row"))
    assert dict(shown.select("rule", "received").rows())["nights.minimum"] == "0"
    assert shown["row"].to_list()[-1] == MARK


@pytest.mark.parametrize(
    ("field", "received", "hidden"),
    [
        ("guest", NAME, True),
        ("guest", "no such field", False),
        ("nights", "0", False),
        ("nights, guest", NAME, True),
        ("id, nights", "{}", False),
        ("a+b", "0", True),
        ("geust", NAME, True),
        ("", NAME, True),
    ],
)
def test_faults_of_requests_show_no_hidden_value(field: str, received: str, hidden: bool) -> None:
    fault: dict[str, Any] = {"row": 0, "field": field, "expected": "something", "received": received}
    assert masked_faults(GUESTS, [fault]) == [fault | {"received": MARK} if hidden else fault]
    assert masked_faults(WEATHER, [fault]) == [fault]

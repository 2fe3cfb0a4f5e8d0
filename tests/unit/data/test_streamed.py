"""A file's verdict is the one that its rows would get when they are landed, and a reason is given for each refusal."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.contract.check import check_table
from seatrial.contract.model import ColumnContract, Contract, ForeignKey, Freshness, SetRule, TableContract
from seatrial.contract.set_rules import set_results
from seatrial.data.ports import UNREADABLE_SCHEMA
from seatrial.data.streamed import Streamed, check_streamed
from seatrial.errors import DataRefused

AT = datetime(2025, 3, 1, tzinfo=UTC)
VISITS = TableContract(
    name="visits",
    columns=(
        ColumnContract(name="id", type="int", required=True, unique=True),
        ColumnContract(name="ward", type="string"),
        ColumnContract(name="stay", type="float", minimum=0, stop_above=(("minimum", 0.3),)),
        ColumnContract(name="at", type="timestamp"),
    ),
    set_rules=(
        SetRule(
            name="mean",
            metric="sql",
            query="SELECT AVG(stay) FROM visits",
            operator="mustBeLessThan",
            operands=(5,),
        ),
        SetRule(name="rows", metric="rowCount", operator="mustBeGreaterThan", operands=(2,)),
    ),
    freshness=(Freshness(column="at", seconds=86400.0),),
    stop_above=0.5,
    minimum_rows=2,
)
NONE = pl.DataFrame(schema=UNREADABLE_SCHEMA)
BROKEN_LINE = pl.DataFrame(
    [(3, "file.fields", "4 fields", "5", '"…"')], schema=UNREADABLE_SCHEMA, orient="row"
)


def visits(changes: Mapping[int, dict[str, Any]] | None = None, count: int = 6) -> pl.DataFrame:
    sound = {"ward": "a", "stay": 1.0, "at": AT - timedelta(hours=1)}
    rows = [{"id": number, **sound, **(changes or {}).get(number, {})} for number in range(count)]
    return pl.DataFrame(rows)


def streamed(rows: pl.DataFrame, table: TableContract = VISITS, unreadable: pl.DataFrame = NONE) -> Streamed:
    contract = Contract(id="c", version="2.0.0", tables=(table,))
    return check_streamed(contract, table, rows.lazy(), unreadable, at=AT)


def test_counts_results_and_rows_are_those_of_a_check() -> None:
    rows = visits({1: {"stay": -1.0}, 3: {"id": 2}, 4: {"stay": 90.0}}, count=40)
    found, checked = streamed(rows), check_table(VISITS, rows, contract_version="2.0.0", at=AT)
    told = set_results(VISITS, {"visits": checked.kept}, at=AT)
    wanted = sorted((one.rule, one.failed, one.severity, one.detail) for one in (*checked.results, *told))
    assert sorted((one.rule, one.failed, one.severity, one.detail) for one in found.results) == wanted
    assert found.quarantined.equals(checked.quarantined)
    assert (found.rows, found.rejected, found.refused) == (40, 2, ())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (visits({1: {"stay": -1.0}, 2: {"stay": -1.0}}), ["2 of 6 rows break stay.minimum"]),
        (visits(count=2), ["rows: expected more than 2, found 2"]),
        (visits({1: {"stay": 80.0}}), ["mean: expected less than 5, found 14"]),
        (visits({n: {"at": AT - timedelta(days=2)} for n in range(6)}), ["at.freshness: expected"]),
        (
            visits({n: {"id": 0} for n in range(6)}),
            ["expected at least 2 sound rows, received 1 of 6", "rows: expected more than 2, found 1"],
        ),
    ],
)
def test_each_reason_to_refuse_is_told(rows: pl.DataFrame, said: list[str]) -> None:
    refused = streamed(rows).refused
    assert len(refused) == len(said)
    assert [text for text, reason in zip(said, refused, strict=True) if text not in reason] == []


def test_what_a_rule_about_the_table_sees_are_the_sound_rows() -> None:
    assert streamed(visits({1: {"stay": 900.0, "id": None}})).refused == ()


def test_lines_that_are_no_rows_count_as_rejected() -> None:
    found = streamed(visits(count=3), unreadable=BROKEN_LINE)
    assert (found.rows, found.rejected, found.refused) == (4, 1, ())
    assert [(one.rule, one.rows, one.failed) for one in found.results if one.failed] == [
        ("file.fields", 4, 1)
    ]
    strict = msgspec.structs.replace(VISITS, stop_above=0.1)
    [reason] = streamed(visits(count=3), strict, BROKEN_LINE).refused
    assert "1 of 4 rows break the contract" in reason


def test_keys_of_other_tables_are_told_as_not_looked_up() -> None:
    keys = (
        ForeignKey(columns=("ward",), table="wards", to=("name",)),
        ForeignKey(columns=("ward",), table="visits", to=("ward",)),
    )
    assert streamed(visits(), msgspec.structs.replace(VISITS, foreign_keys=keys)).not_looked_up == (
        "ward in wards",
    )


def test_a_file_of_another_table_is_refused_at_once() -> None:
    with pytest.raises(DataRefused, match="no column stay"):
        streamed(visits().drop("stay"))

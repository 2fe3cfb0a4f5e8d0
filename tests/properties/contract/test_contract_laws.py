"""A contract survives its file, and says the same of a row in a table and in a request."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contract.check import check_table
from seatrial.contract.decoder import RowDecoder
from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import read_contract, write_contract
from tests.contracts import AT, contracts, tables, values

# What JSON says without a type of its own is text in a table.
STORED = {"float": pl.Float64, "int": pl.Int64, "bool": pl.Boolean}
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


@given(contracts())
def test_a_written_contract_reads_as_the_same_contract(contract: Contract) -> None:
    assert read_contract(write_contract(contract)) == contract


@given(st.data())
@settings(max_examples=100)
def test_a_row_that_a_table_keeps_is_a_row_that_a_request_may_bring(data: st.DataObject) -> None:
    table = lenient(data.draw(tables()))
    rows = data.draw(st.lists(st.fixed_dictionaries({c.name: values(c) for c in table.columns}), max_size=5))
    good, faults = RowDecoder(table, [column.name for column in table.columns]).partial(rows)
    checked = check_table(table, stored(table, rows), contract_version="1", at=AT, latest=LATEST)
    assert checked.kept.to_dicts() == [row for _, row in good]
    assert checked.kept_lines.to_list() == [index for index, _ in good]
    assert sorted({index for index, _ in good} | {int(str(fault["row"])) for fault in faults}) == list(
        range(len(rows))
    )


def lenient(table: TableContract) -> TableContract:
    """The table without what concerns several rows: keys, counts, shares."""
    columns = tuple(msgspec.structs.replace(column, unique=False) for column in table.columns)
    return msgspec.structs.replace(table, columns=columns, unique=(), minimum_rows=0, stop_above=1.0)


def stored(table: TableContract, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows as a table stores them: arrays and objects as JSON text."""
    columns = {column.name: [written(column, row[column.name]) for row in rows] for column in table.columns}
    return pl.DataFrame(
        columns, schema={column.name: STORED.get(column.type, pl.String) for column in table.columns}
    )


def written(column: ColumnContract, value: Any) -> Any:
    if value is None or column.type not in ("array", "object"):
        return value
    return json.dumps(value)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_of_repeated_keys_the_last_sound_row_stands(rows: list[tuple[str, int, bool]]) -> None:
    """A later row that is put aside for another reason does not take the earlier one with it."""
    table = TableContract(
        name="t",
        columns=(
            ColumnContract(name="key", type="string", unique=True),
            ColumnContract(name="n", type="int", maximum=2),
            ColumnContract(name="known", type="bool"),
        ),
        stop_above=1.0,
        minimum_rows=0,
    )
    frame = pl.DataFrame(rows, schema={"key": pl.String, "n": pl.Int64, "known": pl.Boolean}, orient="row")
    expected = {key: (key, n, known) for key, n, known in rows if n < 3}
    checked = check_table(table, frame, contract_version="1", at=AT)
    assert sorted(checked.kept.rows()) == sorted(expected.values())

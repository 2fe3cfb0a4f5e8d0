"""A scan says what a check says, whatever the table, its types and its order in files."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from seatrial.contract.check import check_table
from seatrial.contract.key_hashes import KeyHashes
from seatrial.contract.model import ColumnContract, ForeignKey, TableContract
from seatrial.contract.profile import profile_table
from seatrial.contract.scan import scan_table
from seatrial.facts.profile import TableProfile
from tests.contracts import AT, tables, values

STORED = {"float": pl.Float64, "int": pl.Int64, "bool": pl.Boolean}
GIVEN: dict[str, Any] = {"contract_version": "1", "at": AT}


def frame_of(table: TableContract, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Times as text or, where all can be read, as times: columns in their contract's type take a shorter way."""
    texts = {
        column.name: [
            msgspec.json.encode(row[column.name]).decode()
            if column.type in ("array", "object") and row[column.name] is not None
            else row[column.name]
            for row in rows
        ]
        for column in table.columns
    }
    schema = {column.name: STORED.get(column.type, pl.String) for column in table.columns}
    frame = pl.DataFrame(texts, schema=schema)
    moments = [column.name for column in table.columns if column.type == "timestamp" and column.required]
    return frame.with_columns(
        pl.col(name).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False) for name in moments
    )


@given(st.data())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_scan_finds_what_a_check_finds(data: st.DataObject) -> None:
    table = data.draw(tables())
    table = msgspec.structs.replace(
        table, primary_key=data.draw(st.sampled_from([(), (table.columns[0].name,)]))
    )
    row = st.fixed_dictionaries({column.name: values(column) for column in table.columns})
    rows = data.draw(st.lists(row, max_size=4)) * data.draw(st.integers(1, 2))
    frame = frame_of(table, data.draw(st.permutations(rows)))
    checked = check_table(table, frame, **GIVEN)
    scanned = scan_table(table, frame.lazy(), **GIVEN)
    assert (scanned.rows, scanned.rejected) == (checked.rows, checked.rejected)
    assert scanned.results == checked.results
    assert_frame_equal(scanned.quarantined, checked.quarantined)


KEYED = TableContract(
    name="t",
    columns=(
        ColumnContract(name="a", type="int", maximum=3),
        ColumnContract(name="b", type="string"),
        ColumnContract(name="x", type="float", minimum=0),
    ),
    unique=(("a", "b"), ("b",)),
    foreign_keys=(
        ForeignKey(columns=("b",), table="others", to=("name",)),
        ForeignKey(columns=("x", "b"), table="t", to=("a", "b"), severity="warning"),
    ),
)
KEYS = st.tuples(
    st.none() | st.integers(0, 4),
    st.none() | st.sampled_from("pqr"),
    st.floats(-1, 3) | st.just(float("nan")),
)


@given(st.lists(KEYS, max_size=20))
@settings(max_examples=50, deadline=None)
def test_keys_alone_together_and_of_other_tables_are_compared_as_a_check_does(rows: list[Any]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String, "x": pl.Float64}, orient="row")
    others = {"others": pl.DataFrame({"name": ["p", "q", None, "p"]})}
    checked = check_table(KEYED, frame, others=others, **GIVEN)
    scanned = scan_table(KEYED, frame.lazy(), others=others, **GIVEN)
    assert scanned.results == checked.results
    assert_frame_equal(scanned.quarantined, checked.quarantined)
    kept = set(range(frame.height)) - set(scanned.quarantined["line"])
    assert sorted(kept) == checked.kept_lines.to_list()


@given(st.lists(KEYS, max_size=20))
@settings(max_examples=20, deadline=None)
def test_the_profile_of_a_scan_is_that_of_its_rows(rows: list[Any]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String, "x": pl.Float64}, orient="row")
    table = msgspec.structs.replace(KEYED, unique=(), foreign_keys=())
    read = frame.with_columns(pl.col("x").fill_nan(None))
    assert scan_table(table, frame.lazy(), profile=True, **GIVEN).profile == profile_table(read, table)


@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=30), max_size=4))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_hashes_repeat_in_files_as_they_do_in_memory(tmp_path: Path, batches: list[list[int]]) -> None:
    held, spilled = KeyHashes(None, "held"), KeyHashes(tmp_path, "spilled", most=7)
    for batch in batches:
        held.add(np.array(batch, dtype=np.uint64))
        spilled.add(np.array(batch, dtype=np.uint64))
    every = [number for batch in batches for number in batch]
    expected = sorted({number for number in every if every.count(number) > 1})
    assert held.repeated().tolist() == expected
    assert spilled.repeated().tolist() == expected
    assert list(tmp_path.iterdir()) == []


def test_a_row_of_many_files_keeps_its_place(tmp_path: Path) -> None:
    table = TableContract(name="t", columns=(ColumnContract(name="n", type="int", maximum=7, unique=True),))
    for part in range(3):
        numbers = pl.Series("n", range(4 * part, 4 * part + 4))
        numbers.to_frame().write_parquet(tmp_path / f"{part}.parquet", row_group_size=2)
    pl.DataFrame({"n": [0]}).write_parquet(tmp_path / "3.parquet")
    scanned = scan_table(table, pl.scan_parquet(tmp_path / "*.parquet"), spill=tmp_path, **GIVEN)
    found = scanned.quarantined.select("line", "rule").rows()
    assert found == [
        (8, "n.maximum"),
        (9, "n.maximum"),
        (10, "n.maximum"),
        (11, "n.maximum"),
        (0, "n.unique"),
    ]
    assert (scanned.rows, scanned.rejected) == (13, 5)


def test_without_the_wish_for_one_there_is_no_profile() -> None:
    rows = pl.LazyFrame({"a": [1], "b": ["p"], "x": [0.5]})
    assert scan_table(KEYED, rows, **GIVEN).profile is None
    assert isinstance(scan_table(KEYED, rows, profile=True, **GIVEN).profile, TableProfile)


@pytest.mark.parametrize("rows", [0, 600_000])
def test_a_table_of_which_every_row_is_under_suspicion_is_judged_whole(rows: int) -> None:
    table = TableContract(
        name="t", columns=(ColumnContract(name="x", type="float", minimum=1, severity="warning"),)
    )
    frame = pl.LazyFrame({"x": [0.5]}).select(pl.col("x").repeat_by(rows).explode(empty_as_null=False))
    scanned = scan_table(table, frame, **GIVEN)
    assert {result.rule: result.failed for result in scanned.results} == {"x.type": 0, "x.minimum": rows}
    assert (scanned.rows, scanned.rejected, scanned.quarantined.height) == (rows, 0, 0)

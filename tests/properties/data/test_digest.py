"""The digest of a table is over its rows, and over nothing else."""

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seatrial.contract.types import TIMESTAMP
from seatrial.data.digest import rows_digest
from seatrial.errors import DataRefused

SCHEMA: dict[str, Any] = {"s": pl.String, "f": pl.Float64, "i": pl.Int64, "b": pl.Boolean, "t": TIMESTAMP}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "s": st.none() | st.text(max_size=3),
    "f": st.none() | st.floats() | st.sampled_from([0.0, -0.0, math.nan]),
    "i": st.none() | st.integers(-(2**63), 2**63 - 1),
    "b": st.none() | st.booleans(),
    "t": st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis wants naive bounds
}
ROWS = st.lists(st.fixed_dictionaries(VALUES), max_size=6)


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)


@given(ROWS, st.permutations(list(SCHEMA)), st.randoms(use_true_random=False), st.integers(0, 6))
def test_order_of_rows_and_columns_and_chunks_do_not_matter(
    rows: list[dict[str, Any]], columns: list[str], random: Any, cut: int
) -> None:
    shuffled = random.sample(rows, len(rows))
    chunked = pl.concat([table(shuffled[:cut]), table(shuffled[cut:])], rechunk=False).select(columns)
    assert rows_digest(chunked) == rows_digest(table(rows))


@given(ROWS.filter(bool), st.data())
def test_another_value_is_another_digest(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(list(SCHEMA)))
    value = data.draw(VALUES[column])
    assume(not same(value, rows[row][column]))
    changed = [*rows[:row], {**rows[row], column: value}, *rows[row + 1 :]]
    assert rows_digest(table(changed)) != rows_digest(table(rows))


def same(one: Any, other: Any) -> bool:
    numbers = isinstance(one, float) and isinstance(other, float)
    return bool(one == other or (numbers and math.isnan(one) and math.isnan(other)))


@given(ROWS.filter(bool))
def test_a_repeated_row_counts(rows: list[dict[str, Any]]) -> None:
    assert rows_digest(table([*rows, rows[0]])) != rows_digest(table(rows))


def test_names_and_types_count() -> None:
    one = pl.DataFrame({"a": [1]})
    others = [pl.DataFrame({"b": [1]}), pl.DataFrame({"a": [1.0]}), pl.DataFrame({"a": ["1"]})]
    assert len({rows_digest(frame) for frame in [one, *others]}) == 4


def test_text_does_not_run_over_into_the_next_row() -> None:
    assert rows_digest(pl.DataFrame({"a": ["x", "yz"]})) != rows_digest(pl.DataFrame({"a": ["xy", "z"]}))


def test_types_without_a_contract_are_refused() -> None:
    with pytest.raises(DataRefused, match="column a"):
        rows_digest(pl.DataFrame({"a": [[1]]}))

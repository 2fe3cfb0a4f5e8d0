"""Whole sources as one table."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.data.ports import UNREADABLE_SCHEMA
from seatrial.data.reading import read_whole, stacked
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source
from tests.fakes.sources import MemorySources

SOURCE = Source(path="t.csv")
NOON = datetime(2025, 1, 1, 12)  # noqa: DTZ001 - a time without a zone


def test_a_source_is_read_whole() -> None:
    frame = pl.DataFrame({"n": [1, 2]})
    assert read_whole(MemorySources({"tides": frame}), "tides", SOURCE, None).equals(frame)


def test_lines_that_could_not_be_read_are_told_with_what_is_wrong_with_them() -> None:
    broken = pl.DataFrame(
        [(line, "file.ragged", "2 fields", "1 field", "x") for line in range(7)],
        schema=UNREADABLE_SCHEMA,
        orient="row",
    )
    reader = MemorySources({"tides": pl.DataFrame({"n": [1]})}, {"tides": broken})
    with pytest.raises(
        SourceFailed, match=r"(?s)source tides: 7 lines .*line 4: expected 2 fields.*and 2 more"
    ):
        read_whole(reader, "tides", SOURCE, None)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1], [2], [1, 2]),
        ([1], [2.5], [1.0, 2.5]),
        ([1], ["x"], ["1", "x"]),
        ([True], [2], ["true", "2"]),
        ([1], [date(2024, 1, 1)], ["1", "2024-01-01"]),
        ([None], [2], [None, 2]),
        (
            [NOON],
            [NOON.replace(tzinfo=UTC)],
            ["2025-01-01 12:00:00.000000", "2025-01-01 12:00:00.000000+00:00"],
        ),
    ],
)
def test_values_of_two_types_become_the_type_that_holds_both(
    first: list[Any], second: list[Any], expected: list[Any]
) -> None:
    table = stacked("tides", [pl.DataFrame({"n": first}), pl.DataFrame({"n": second})])
    assert table["n"].to_list() == expected


def test_a_table_without_values_has_no_say_in_the_type() -> None:
    parts = [pl.DataFrame({"n": ["x"]}).clear(), pl.DataFrame({"n": [1]})]
    assert stacked("tides", parts)["n"].dtype == pl.Int64


def test_columns_are_stacked_by_name_and_others_are_refused() -> None:
    parts = [pl.DataFrame({"a": [1], "b": [2]}), pl.DataFrame({"b": [3], "a": [4]})]
    assert stacked("tides", parts).rows() == [(1, 2), (4, 3)]
    with pytest.raises(SourceFailed, match="source tides: its deliveries differ in the columns b, c"):
        stacked("tides", [*parts, pl.DataFrame({"a": [1], "c": [1]})])


def test_a_broken_line_of_a_source_with_classified_columns_is_not_shown() -> None:
    broken = pl.DataFrame(
        [(3, "file.ragged", "2 fields", "Ada,Lovelace,1815", "Ada,Lovelace,1815")],
        schema=UNREADABLE_SCHEMA,
        orient="row",
    )
    reader = MemorySources({"tides": pl.DataFrame({"n": [1]})}, {"tides": broken})
    pilot = ColumnContract(name="pilot", type="string", classification="restricted")
    with pytest.raises(SourceFailed, match=r"line 3: expected 2 fields, received \*\*\*$") as refused:
        read_whole(reader, "tides", SOURCE, None, TableContract(name="tides", columns=(pilot,)))
    assert "Ada" not in str(refused.value)
    open_table = TableContract(name="tides", columns=(ColumnContract(name="n", type="int"),))
    with pytest.raises(SourceFailed, match="received Ada,Lovelace"):
        read_whole(reader, "tides", SOURCE, None, open_table)

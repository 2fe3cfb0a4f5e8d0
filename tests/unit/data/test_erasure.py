"""Values that were erased are recognised in whatever type they are delivered again, by their commitments alone."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.quarantine import quarantine_rows
from seatrial.data.erasure import (
    commitment_of,
    fresh_salt,
    suppressed,
    suppressed_aside,
    suppressed_lines,
    text_of,
    texts,
)
from seatrial.facts.erasure import DONE, Erasure

AT = datetime(2025, 1, 1, tzinfo=UTC)
SALT = "salt"


def _erasure(text: str, columns: dict[str, tuple[str, ...]], salt: str = SALT) -> Erasure:
    return Erasure(
        id="e0001",
        product="harbour",
        column="ship",
        columns=columns,
        salt=salt,
        commitment=commitment_of(salt, text),
        state=DONE,
        rows={},
        snapshots=(),
        models=(),
        why="asked",
        by="ann",
        at=AT,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42, "42"),
        (42.0, "42"),
        (" 42 ", "42"),
        (0.5, "0.5"),
        (-0.0, "0"),
        (True, "true"),
        (date(2025, 2, 28), "2025-02-28"),
        (datetime(2025, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2025-01-01T00:00:00.000000Z"),
        ("Ärger", "Ärger"),
        (None, None),
        ([1], None),
        ({"a": 1}, None),
        (b"raw", None),
    ],
)
def test_a_value_has_one_text_in_every_type(value: Any, text: str | None) -> None:
    assert text_of(value) == text


def test_numbers_that_are_none_have_texts_of_their_own() -> None:
    values = pl.Series([float("nan"), float("inf"), 1e300, None])
    assert texts(values).to_list() == ["NaN", "inf", "1e+300", None]


def test_salts_make_commitments_of_one_value_differ() -> None:
    first, second = fresh_salt(), fresh_salt()
    assert first != second
    assert commitment_of(first, "Argo") != commitment_of(second, "Argo")
    assert commitment_of(first, "Argo") == commitment_of(first, "Argo")
    assert "Argo" not in commitment_of(first, "Argo")


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([41, 42, None]),
        pl.Series([41, 42, None], dtype=pl.Int8),
        pl.Series([41.0, 42.0, None]),
        pl.Series(["41", " 42", None]),
        pl.Series(["41", "42", None], dtype=pl.Categorical),
    ],
)
def test_rows_with_an_erased_value_are_left_out_in_every_type(column: pl.Series) -> None:
    frame = pl.DataFrame({"crew": column, "n": [1, 2, 3]})
    kept, dropped = suppressed(frame, [_erasure("42", {"calls": ("crew",)})])
    assert_frame_equal(kept, frame[[0, 2]])
    assert dropped == 1


def test_a_contract_reads_what_was_delivered_as_text() -> None:
    table = TableContract(name="calls", columns=(ColumnContract(name="crew", type="float"),))
    frame = pl.DataFrame({"crew": ["42.00", "4.2e1", "43", "many"]})
    kept, dropped = suppressed(frame, [_erasure("42", {"calls": ("crew",)})], table)
    assert (kept["crew"].to_list(), dropped) == (["43", "many"], 2)


def test_only_the_columns_in_which_a_source_was_searched_count() -> None:
    table = TableContract(name="ships", columns=(ColumnContract(name="name", type="string"),))
    frame = pl.DataFrame({"name": ["Argo", "Bounty"], "harbour": ["Bounty", "Argo"]})
    erasure = _erasure("Bounty", {"ships": ("name",), "calls": ("harbour",)})
    assert suppressed(frame, [erasure], table)[0]["name"].to_list() == ["Argo"]
    assert suppressed(frame, [erasure])[0].is_empty()
    other = TableContract(name="tides", columns=())
    assert suppressed(frame, [erasure], other) == (frame, 0)


def test_several_erasures_under_several_salts_work_together() -> None:
    erasures = [_erasure(name, {"ships": ("name",)}, salt) for name, salt in (("Argo", "a"), ("Bounty", "b"))]
    frame = pl.DataFrame({"name": ["Argo", "Calypso", "Bounty", None]})
    kept, dropped = suppressed(frame, erasures)
    assert (kept["name"].to_list(), dropped) == (["Calypso", None], 2)


def test_without_erasures_nothing_is_touched() -> None:
    frame = pl.DataFrame({"name": ["Argo"]})
    assert suppressed(frame, []) == (frame, 0)
    assert suppressed(frame.clear(), [_erasure("Argo", {"ships": ("name",)})])[1] == 0


def test_lines_that_could_not_be_read_are_left_out_when_they_name_an_erased_value() -> None:
    rows = [
        '"1,Bounty,north"',
        '"2;Argo"',
        '"Bounty\\t3"',
        '{"ship": "Bounty", "n": 1}',
        '"the Bounty"',
        None,
    ]
    lines = pl.DataFrame({"line": range(6), "row": rows})
    erasure = _erasure("Bounty", {"ships": ("name",)})
    left, dropped = suppressed_lines(lines, [erasure], "ships")
    assert (left["line"].to_list(), dropped) == ([1, 4, 5], 3)
    assert suppressed_lines(lines, [erasure], "tides")[1] == 0


def _table(*columns: str) -> TableContract:
    return TableContract(
        name="ships", columns=tuple(ColumnContract(name=one, type="string") for one in columns)
    )


SEARCHED = msgspec.structs.replace(
    _erasure("Bounty", {"ships": ("name",)}), declared={"ships": ("name", "harbour"), "tides": ("quay",)}
)


@pytest.mark.parametrize(
    ("columns", "left"),
    [
        # The searched column is gone: what came since may be it; what was there is something else.
        ({"title": ["Bounty", "b"], "harbour": ["h", "h"]}, 1),
        ({"title": ["a", "b"], "harbour": ["Bounty", "h"]}, 2),
        # It is still there: what came beside it is something else.
        ({"name": ["a", "b"], "title": ["Bounty", "b"]}, 2),
        # Times and fractions name nobody.
        ({"title": [1.5, 2.5]}, 2),
    ],
)
def test_a_column_that_came_since_may_be_the_searched_one(columns: dict[str, list[Any]], left: int) -> None:
    frame = pl.DataFrame(columns)
    assert suppressed(frame, [SEARCHED], _table(*columns))[0].height == left


def test_without_knowing_what_was_declared_only_searched_columns_count() -> None:
    unknown = msgspec.structs.replace(SEARCHED, declared={})
    assert suppressed(pl.DataFrame({"title": ["Bounty"]}), [unknown], _table("title"))[1] == 0


def test_of_a_source_that_came_since_columns_with_a_searched_name_count() -> None:
    frame = pl.DataFrame({"name": ["Bounty", "Argo"], "harbour": ["h", "Bounty"]})
    vessels = msgspec.structs.replace(_table("name", "harbour"), name="vessels")
    assert suppressed(frame, [SEARCHED], vessels)[0]["name"].to_list() == ["Argo"]
    tides = msgspec.structs.replace(vessels, name="tides")
    assert suppressed(frame, [SEARCHED], tides)[1] == 0
    lines = pl.DataFrame({"row": ['"1,Bounty"']})
    assert suppressed_lines(lines, [SEARCHED], "vessels")[1] == 1
    assert suppressed_lines(lines, [SEARCHED], "tides")[1] == 0


def test_typed_rows_are_compared_in_their_types() -> None:
    table = TableContract(name="ships", columns=(ColumnContract(name="name", type="int"),))
    typed = pl.DataFrame({"name": pl.Series([1, 42, None], dtype=pl.Int64)})
    assert suppressed(typed, [_erasure("42", {"ships": ("name",)})], table)[0]["name"].to_list() == [1, None]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('c9,2025,"Earhart, Amelia",1', True),
        ("c9;Earhart, Amelia;1", True),
        ("Earhart, Amelia", True),
        ("Amelia, Earhart", False),
        ("c9,Earhart,Amelia", False),
    ],
)
def test_a_value_with_separators_is_found_in_a_line(line: str, named: bool) -> None:
    lines = pl.DataFrame({"row": [f'"{line}"'.replace('""', '"'), json.dumps(line)]})
    erasure = _erasure("Earhart, Amelia", {"ships": ("name",)})
    assert suppressed_lines(lines, [erasure], "ships")[1] == (2 if named else 0)


def test_rows_put_aside_are_left_out_for_what_stands_beside_the_contracts_columns() -> None:
    bodies = [
        {"name": "Argo", "former": "Bounty"},
        {"name": "Argo", "former": "Argo", "more": {"names": ["x", "Bounty"]}},
        {"name": "Argo", "harbour": "Bounty"},
        {"name": "Argo", "former": None},
    ]
    rows = pl.DataFrame(
        {
            "line": [0, 1, 2, 3],
            "rule": ["r"] * 4,
            "expected": ["e"] * 4,
            "received": ["x"] * 4,
            "row": [json.dumps(one) for one in bodies],
        }
    )
    aside = quarantine_rows("ships", rows, contract_version="1.0.0", at=AT)
    left, dropped = suppressed_aside(aside, [SEARCHED], _table("name", "harbour"))
    assert (left["line"].to_list(), dropped) == ([2, 3], 2)
    assert suppressed_aside(aside, [], _table("name"))[1] == 0

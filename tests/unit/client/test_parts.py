"""Rows as requests carry them."""

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from arro3.core import Table
from hypothesis import given
from hypothesis import strategies as st

from seatrial.client.parts import ARROW, JSON, Part, Room, objects_of, parts_of
from seatrial.errors import RequestInvalid

WIDE = Room()
AT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def rows_in(part: Part) -> list[dict[str, Any]]:
    if part.content_type == JSON:
        found = json.loads(part.body)
        assert isinstance(found, list)
        return found
    return pl.read_ipc_stream(io.BytesIO(part.body)).to_dicts()


@pytest.mark.parametrize("given", [{"a": 1}, [{"a": 1}], ({"a": 1},)])
def test_mappings_go_as_json(given: Any) -> None:
    [part] = parts_of(given, WIDE)
    assert (part.first, part.rows, part.content_type) == (0, 1, JSON)
    assert rows_in(part) == [{"a": 1}]


def test_no_rows_are_one_part_without_rows() -> None:
    none: list[dict[str, Any]] = []
    for empty in (none, pl.DataFrame({"a": []})):
        [part] = parts_of(empty, WIDE)
        assert part.rows == 0
        assert rows_in(part) == []


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"a": [1, 2], "s": ["x", None]}),
        Table.from_arrow(pl.DataFrame({"a": [1, 2], "s": ["x", None]})),
        pl.DataFrame({"a": [1, 2], "s": pl.Series(["x", None], dtype=pl.Categorical)}),
        pd.DataFrame({"a": [1, 2], "s": ["x", None]}),
        pd.DataFrame({"a": [1, 2], "s": pd.Categorical(["x", None])}),
    ],
    ids=["polars", "arrow", "polars with categories", "pandas", "pandas with categories"],
)
def test_tables_of_any_library_go_as_arrow_streams_of_the_same_rows(table: Any) -> None:
    [part] = parts_of(table, WIDE)
    assert part.content_type == ARROW
    assert rows_in(part) == [{"a": 1, "s": "x"}, {"a": 2, "s": None}]
    assert pl.read_ipc_stream(io.BytesIO(part.body)).schema["s"] == pl.String


def test_what_pandas_holds_as_missing_is_null_and_its_types_stay() -> None:
    table = pd.DataFrame(
        {
            "f": [1.5, np.nan],
            "n": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "t": pd.to_datetime([AT, None], utc=True),
            "i": np.array([1, 2], dtype="int32"),
        }
    )
    [part] = parts_of(table, WIDE)
    assert rows_in(part) == [
        {"f": 1.5, "n": 1, "b": True, "t": AT, "i": 1},
        {"f": None, "n": None, "b": None, "t": None, "i": 2},
    ]


def test_a_pandas_column_of_mixed_values_is_refused_by_name() -> None:
    with pytest.raises(RequestInvalid, match="mixed"):
        list(parts_of(pd.DataFrame({"mixed": [1, "x"]}, dtype=object), WIDE))


def test_not_a_number_in_a_polars_frame_stays_what_it_is() -> None:
    [part] = parts_of(pl.DataFrame({"f": [float("nan")]}), WIDE)
    assert np.isnan(rows_in(part)[0]["f"])


def test_values_of_python_and_numpy_go_as_json_has_them() -> None:
    row = {
        "f": np.float64(1.5),
        "f32": np.float32(0.5),
        "i": np.int64(3),
        "b": np.bool_(True),
        "s": np.str_("x"),
        "t": AT,
        "p": pd.Timestamp(AT),
        "d": dt.date(2026, 1, 2),
        "m": Decimal("1.20"),
        "none": None,
    }
    [part] = parts_of(row, WIDE)
    assert rows_in(part) == [
        {
            "f": 1.5,
            "f32": 0.5,
            "i": 3,
            "b": True,
            "s": "x",
            "t": "2026-01-02T03:04:05Z",
            "p": "2026-01-02T03:04:05+00:00",
            "d": "2026-01-02",
            "m": 1.2,
            "none": None,
        }
    ]


def test_what_json_cannot_carry_is_refused_with_every_field_named() -> None:
    rows: list[dict[str, Any]] = [
        {"a": 1},
        {
            "x": float("nan"),
            "y": float("inf"),
            "z": object(),
            "w": np.float64("nan"),
            "v": [{"in": [float("nan")]}],
            "a": 2,
        },
    ]
    with pytest.raises(RequestInvalid) as raised:
        list(parts_of(rows, WIDE))
    assert [(fault["row"], fault["field"]) for fault in raised.value.faults] == [(1, n) for n in "xyzwv"]


@pytest.mark.parametrize("given", [5, "rows", b"rows", None, [1], ["x"], [None], {1, 2}])
def test_what_are_no_rows_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="expected a mapping"):
        list(parts_of(given, WIDE))


def test_a_table_that_is_not_computed_yet_is_refused_with_what_to_do() -> None:
    lazy: Any = pl.LazyFrame({"a": [1]})
    with pytest.raises(TypeError, match=r"got LazyFrame; collect\(\) it first"):
        list(parts_of(lazy, WIDE))


@given(
    heights=st.integers(0, 40), rows=st.integers(1, 9), room=st.integers(300, 4000), width=st.integers(0, 60)
)
def test_parts_hold_all_rows_once_in_their_order_within_the_room(
    heights: int, rows: int, room: int, width: int
) -> None:
    whole = [{"n": number, "s": "x" * width} for number in range(heights)]
    parts = list(parts_of(whole, Room(rows, room)))
    assert [row for part in parts for row in rows_in(part)] == whole
    assert all(part.rows <= rows and len(part.body) <= room for part in parts)
    assert [part.first for part in parts] == [sum(p.rows for p in parts[:k]) for k in range(len(parts))]


@given(height=st.integers(1, 40), rows=st.integers(1, 9))
def test_tables_are_split_as_lists_are(height: int, rows: int) -> None:
    frame = pl.DataFrame({"n": range(height)})
    parts = list(parts_of(frame, Room(rows, 2000)))
    assert [row["n"] for part in parts for row in rows_in(part)] == list(range(height))
    assert all(part.rows <= rows for part in parts)


def test_a_table_whose_stream_is_too_large_is_halved() -> None:
    frame = pl.DataFrame({"s": ["x" * 1000 for _ in range(64)]})
    parts = list(parts_of(frame, Room(10_000, 20_000)))
    assert len(parts) > 2
    assert sum(part.rows for part in parts) == 64
    assert all(len(part.body) <= 20_000 for part in parts)


def test_tables_become_mappings_for_doors_that_take_only_those() -> None:
    assert objects_of(pl.DataFrame({"a": [1]})) == [{"a": 1}]
    assert objects_of({"a": 1}) == {"a": 1}
    assert objects_of([{"a": 1}]) == [{"a": 1}]

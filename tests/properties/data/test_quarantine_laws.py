"""What is put aside can be read again with the same verdict, and no correction loses or invents a row."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contract.check import Checked, check_table
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.data.corrections import correct
from seatrial.data.quarantine import distinct, rows_of
from seatrial.facts.quarantine import Correction
from tests.contracts import AT, WEATHER, tables, values

STORED = {"float": pl.Float64, "int": pl.Int64, "bool": pl.Boolean}
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def verdicts(checked: Checked, lines: list[int]) -> list[list[str]]:
    """The rules that each row broke, in the order of `lines`."""
    broken = checked.quarantined.group_by("line").agg(pl.col("rule").sort()).rows_by_key("line", unique=True)
    return [sorted(broken.get(line, [])) for line in lines]


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_rows_put_aside_break_the_same_rules_when_they_are_checked_again(data: st.DataObject) -> None:
    table = alone(data.draw(tables()))
    drawn = st.fixed_dictionaries({column.name: values(column) for column in table.columns})
    rows = data.draw(st.lists(drawn, max_size=5))
    first = check_table(table, stored(table, rows), contract_version="1", at=AT, latest=LATEST)
    again = check_table(table, rows_of(first.quarantined, table), contract_version="1", at=AT, latest=LATEST)
    lines = distinct(first.quarantined)["line"].to_list()
    assert verdicts(again, list(range(len(lines)))) == verdicts(first, lines)


def alone(table: TableContract) -> TableContract:
    """The table without what concerns several rows."""
    columns = tuple(msgspec.structs.replace(column, unique=False) for column in table.columns)
    return msgspec.structs.replace(table, columns=columns, unique=(), minimum_rows=0, stop_above=1.0)


def stored(table: TableContract, rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns = {column.name: [_written(column, row[column.name]) for row in rows] for column in table.columns}
    return pl.DataFrame(columns, schema={one.name: STORED.get(one.type, pl.String) for one in table.columns})


def _written(column: ColumnContract, value: Any) -> Any:
    return json.dumps(value) if value is not None and column.type in ("array", "object") else value


WINDS = st.none() | st.sampled_from([-5.0, 0.0, 12.5, 70.0, 71.0, 140.0, 1e6, float("inf")])
ROWS = st.lists(
    st.tuples(st.sampled_from(["EWR", "JFK", "Newark", None]), st.integers(1, 3), WINDS),
    min_size=1,
    max_size=8,
)
DECLARED = st.lists(
    st.tuples(
        st.sampled_from(["wind_speed.maximum", "wind_speed.minimum", "wind_speed.type", "origin.values"]),
        st.sampled_from(
            [
                {"wind_speed": "70.0"},
                {"origin": "'JFK'"},
                {"wind_speed": "140.0", "origin": "UPPER(LEFT(origin, 3))"},
            ]
        ),
        st.sampled_from(["", "origin = 'EWR'", "origin IS NOT NULL"]),
    ),
    max_size=3,
)


def weather(rows: list[tuple[str | None, int, float | None]]) -> pl.DataFrame:
    columns = {
        "origin": [origin for origin, _, _ in rows],
        "observed_at": [AT + hour * HOUR for _, hour, _ in rows],
        "wind_speed": [wind for _, _, wind in rows],
        "sky": ["fog"] * len(rows),
    }
    return pl.DataFrame(columns, schema_overrides={"origin": pl.String, "wind_speed": pl.Float64})


@given(rows=ROWS, declared=DECLARED)
@settings(max_examples=50, deadline=None)
def test_after_corrections_each_row_is_kept_sound_or_aside_as_it_was_delivered(
    rows: list[tuple[str | None, int, float | None]],
    declared: list[tuple[str, dict[str, str], str]],
) -> None:
    frame = weather(rows)
    corrections = [
        Correction(
            id=f"c{number}",
            product="p",
            source="weather",
            rule=rule,
            set=values,
            where=where,
            why="",
            by="",
            at=AT + number * HOUR,
        )
        for number, (rule, values, where) in enumerate(declared)
    ]
    given_: dict[str, Any] = {"contract_version": "1", "at": AT, "latest": LATEST}
    plain = check_table(WEATHER, frame, **given_)
    found = correct(WEATHER, frame, corrections, **given_)
    kept, aside = found.checked.kept_lines.to_list(), set(found.checked.quarantined["line"])
    assert sorted([*kept, *aside]) == list(range(len(rows)))
    assert kept == sorted(kept)
    assert check_table(WEATHER, found.checked.kept, **given_).rejected == 0
    assert found.mended.keys() <= set(kept) - set(plain.kept_lines)
    untouched = [line for line in plain.kept_lines if line in kept]
    before = plain.kept.filter(plain.kept_lines.is_in(untouched))
    assert found.checked.kept.filter(found.checked.kept_lines.is_in(untouched)).equals(before)
    texts = dict(plain.quarantined.select("line", "row").rows())
    assert all(
        row == texts.get(line, row) for line, row in found.checked.quarantined.select("line", "row").rows()
    )

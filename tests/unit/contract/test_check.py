"""Tables against a contract: what is kept, what is put aside and why, what is refused whole."""

import json
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.contract.check import Checked, check_table
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.types import TIMESTAMP
from seatrial.errors import DataRefused
from tests.contracts import AT, WEATHER


def weather(**changes: list[Any]) -> pl.DataFrame:
    sound = {
        "origin": ["EWR", "EWR", "JFK"],
        "observed_at": [datetime(2025, 1, 1, hour, tzinfo=UTC) for hour in (1, 2, 3)],
        "wind_speed": [3.0, None, 70.0],
        "sky": ["clear", None, "fog"],
    }
    return pl.DataFrame(sound | changes)


def check(frame: pl.DataFrame, table: TableContract = WEATHER) -> Checked:
    return check_table(table, frame, contract_version="1.0.0", at=AT)


def one(kind: str, values: pl.Series, **rules: Any) -> Checked:
    column = ColumnContract(name="x", type=kind, **rules)  # type: ignore[arg-type]  # each test says which
    table = TableContract(name="t", columns=(column,), stop_above=1.0, minimum_rows=0)
    return check(values.alias("x").to_frame(), table)


def failures(checked: Checked) -> dict[str, int]:
    return {result.rule: result.failed for result in checked.results if result.failed}


def test_sound_rows_are_kept_in_the_contracts_columns_and_order() -> None:
    frame = (
        weather()
        .with_columns(unknown=pl.lit(1))
        .select("unknown", "sky", "wind_speed", "observed_at", "origin")
    )
    checked = check(frame)
    assert_frame_equal(checked.kept, weather())
    assert checked.quarantined.is_empty()


def test_every_rule_is_reported_also_those_nobody_broke() -> None:
    rules = {result.rule: (result.source, result.rows, result.failed) for result in check(weather()).results}
    assert rules.keys() == {
        "origin.type",
        "origin.required",
        "origin.values",
        "observed_at.type",
        "observed_at.required",
        "wind_speed.type",
        "wind_speed.minimum",
        "wind_speed.maximum",
        "sky.type",
        "sky.max_length",
        "origin+observed_at.unique",
    }
    assert set(rules.values()) == {("weather", 3, 0)}


def test_a_row_that_breaks_a_rule_is_put_aside_whole_with_the_reason() -> None:
    checked = check(weather(wind_speed=[1048.4, 1.0, 2.0]))
    assert checked.kept.height == 2
    assert checked.quarantined.height == 1
    line = checked.quarantined.row(0, named=True)
    assert (line["source"], line["rule"]) == ("weather", "wind_speed.maximum")
    assert line["reason"] == "expected at most 70, received 1048.4"
    assert (line["contract_version"], line["at"]) == ("1.0.0", AT)
    assert json.loads(line["row"]) == {
        "origin": "EWR",
        "observed_at": "2025-01-01T01:00:00Z",
        "wind_speed": 1048.4,
        "sky": "clear",
    }


def test_a_row_that_breaks_two_rules_is_put_aside_once_and_told_twice() -> None:
    checked = check(weather(origin=["LGA", "EWR", "JFK"], wind_speed=[-1.0, 1.0, 2.0]))
    assert checked.kept.height == 2
    assert checked.quarantined["rule"].to_list() == ["origin.values", "wind_speed.minimum"]


def test_warnings_are_counted_and_the_row_is_kept() -> None:
    checked = check(weather(sky=["thunderstorm", None, "fog"]))
    assert failures(checked) == {"sky.max_length": 1}
    assert checked.kept.height == 3
    assert checked.quarantined.is_empty()


def test_of_repeated_keys_the_last_row_stands() -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    checked = check(
        weather(origin=["EWR", "EWR", "EWR"], observed_at=[at, at, at], wind_speed=[1.0, 2.0, 3.0])
    )
    assert checked.kept["wind_speed"].to_list() == [3.0]
    assert failures(checked) == {"origin+observed_at.unique": 2}


def test_a_key_with_a_missing_part_repeats_nothing() -> None:
    checked = one("string", pl.Series(["a", None, None, "a"]), unique=True)
    assert checked.kept["x"].to_list() == [None, None, "a"]


def test_missing_columns_and_unreadable_ones_are_all_named() -> None:
    frame = weather().drop("origin", "sky").with_columns(pl.col("observed_at").dt.replace_time_zone(None))
    with pytest.raises(DataRefused) as refused:
        check(frame.with_columns(wind_speed=pl.lit(value=True)))
    told = str(refused.value)
    assert "no column origin, sky" in told
    assert "observed_at" in told
    assert "without a time zone" in told
    assert "wind_speed: expected float, the table holds Boolean" in told


def test_a_table_of_which_too_much_is_broken_is_refused_with_the_rules() -> None:
    strict = msgspec.structs.replace(WEATHER, stop_above=0.3)
    check(weather(), strict)
    with pytest.raises(DataRefused, match=r"1 of 3 rows .* more than the 30.0%.*wind_speed.maximum: 1 rows"):
        check(weather(wind_speed=[100.0, 1.0, 2.0]), strict)


def test_a_table_with_too_few_sound_rows_is_refused() -> None:
    full = msgspec.structs.replace(WEATHER, minimum_rows=3)
    assert check(weather(), full).kept.height == 3
    with pytest.raises(DataRefused, match="at least 3 sound rows, received 2 of 2"):
        check(weather().head(2), full)


@pytest.mark.parametrize(
    ("kind", "values", "kept", "broken"),
    [
        ("float", pl.Series([1, 2, None]), [1.0, 2.0, None], 0),
        ("float", pl.Series([1.5, float("nan"), float("inf")]), [1.5, None], 1),
        ("float", pl.Series([" 1.5", "NaN", "wet", "inf", None]), [1.5, None, None], 2),
        ("int", pl.Series([1.0, float("nan"), 2.5]), [1, None], 1),
        ("int", pl.Series(["7", "7.5", None]), [7, None], 1),
        ("int", pl.Series([1, 2**64 - 1], dtype=pl.UInt64), [1], 1),
        ("bool", pl.Series([0, 1, 2, None]), [False, True, None], 1),
        ("bool", pl.Series(["True", "false", "yes"]), [True, False], 1),
        ("string", pl.Series([1, None]), ["1", None], 0),
        ("string", pl.Series(["a", None], dtype=pl.Categorical), ["a", None], 0),
        ("timestamp", pl.Series([date(2025, 1, 1)]), [datetime(2025, 1, 1, tzinfo=UTC)], 0),
        (
            "timestamp",
            pl.Series(["2025-01-01T02:00:00+02:00", "2025-01-01T02:00:00", None]),
            [datetime(2025, 1, 1, tzinfo=UTC), None],
            1,
        ),
        ("int", pl.Series([None, None]), [None, None], 0),
    ],
)
def test_stored_values_are_read_as_their_type_or_put_aside(
    kind: str, values: pl.Series, kept: list[Any], broken: int
) -> None:
    checked = one(kind, values)
    assert checked.kept["x"].to_list() == kept
    assert checked.quarantined["rule"].to_list() == ["x.type"] * broken


def test_what_cannot_be_read_is_the_types_fault_and_not_missing_too() -> None:
    assert failures(one("int", pl.Series(["7", "wet", None]), required=True)) == {
        "x.type": 1,
        "x.required": 1,
    }


def test_times_of_any_zone_and_unit_become_utc_microseconds() -> None:
    local = (
        pl.Series([datetime(2025, 7, 1, 10, tzinfo=UTC)])
        .dt.convert_time_zone("Europe/Paris")
        .dt.cast_time_unit("ms")
    )
    kept = one("timestamp", local).kept
    assert kept.schema["x"] == TIMESTAMP
    assert kept["x"].to_list() == [datetime(2025, 7, 1, 10, tzinfo=UTC)]


def test_a_pattern_must_match_the_whole_text() -> None:
    assert one("string", pl.Series(["ab", "abc", "ab\n"]), pattern="a|ab").kept["x"].to_list() == ["ab"]


def test_an_empty_table_passes_when_it_may_be_empty() -> None:
    assert check(weather().clear()).kept.schema == weather().schema

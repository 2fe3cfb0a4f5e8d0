"""Tables against a contract: what is kept, what is put aside and why, what is refused whole."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.contract.check import Checked, check_table, refuse_when_thinned
from seatrial.contract.decoder import RowDecoder
from seatrial.contract.model import ColumnContract, ForeignKey, RowRule, TableContract
from seatrial.contract.scan import scan_table
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
    assert (line["expected"], line["received"]) == ("at most 70", "1048.4")
    assert (line["contract_version"], line["at"]) == ("1.0.0", AT)
    assert (line["line"], line["load"]) == (0, None)
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


def refuse(frame: pl.DataFrame, table: TableContract) -> None:
    checked = check(frame, table)
    refuse_when_thinned(table, checked.results, rows=checked.rows, rejected=checked.rejected)


def test_a_table_of_which_too_much_is_broken_is_refused_with_the_rules() -> None:
    strict = msgspec.structs.replace(WEATHER, stop_above=0.3)
    refuse(weather(), strict)
    with pytest.raises(DataRefused, match=r"1 of 3 rows .* more than the 30.0%.*wind_speed.maximum: 1 rows"):
        refuse(weather(wind_speed=[100.0, 1.0, 2.0]), strict)


def test_a_table_with_too_few_sound_rows_is_refused() -> None:
    full = msgspec.structs.replace(WEATHER, minimum_rows=3)
    refuse(weather(), full)
    with pytest.raises(DataRefused, match="at least 3 sound rows, received 2 of 2"):
        refuse(weather().head(2), full)


@pytest.mark.parametrize("name", ["maximum", "wind_speed.maximum"])
def test_a_rule_may_have_a_threshold_of_its_own(name: str) -> None:
    column = msgspec.structs.replace(WEATHER.columns[2], stop_above=((name, 0.3),))
    table = msgspec.structs.replace(WEATHER, columns=(*WEATHER.columns[:2], column, WEATHER.columns[3]))
    refuse(weather(wind_speed=[-1.0, 1.0, 2.0]), table)
    with pytest.raises(DataRefused, match=r"1 of 3 rows break wind_speed.maximum, more than the 30.0%"):
        refuse(weather(wind_speed=[100.0, 1.0, 2.0]), table)


def test_every_threshold_that_is_passed_is_told() -> None:
    strict = msgspec.structs.replace(WEATHER, stop_above=0.3, minimum_rows=3)
    with pytest.raises(DataRefused, match=r"(?s)1 of 3 rows break the contract.*at least 3 sound rows"):
        refuse(weather(wind_speed=[100.0, 1.0, 2.0]), strict)


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
        ("timestamp", pl.Series(["0000-05-01T00:00:00Z", "9999-12-31T23:59:59-05:00"]), [], 2),
        ("date", pl.Series([date(2025, 1, 1), None]), [date(2025, 1, 1), None], 0),
        ("date", pl.Series(["2025-01-01", "2025-1-1", "2025-02-30"]), [date(2025, 1, 1)], 2),
        ("date", pl.Series([datetime(2025, 1, 1, tzinfo=UTC)]), [date(2025, 1, 1)], 0),
        ("date", pl.Series([datetime(2025, 1, 1, 5, tzinfo=UTC)]), [], 1),
        ("time", pl.Series([time(12, 30), time(1, 2, 3, 500_000)]), ["12:30:00", "01:02:03.500000"], 0),
        ("time", pl.Series(["12:30:00.5", "24:00:00", "12:30", None]), ["12:30:00.500000", None], 2),
        ("array", pl.Series([[1, 2], None]), ["[1,2]", None], 0),
        ("array", pl.Series(["[1, 2]", '{"a": 1}', "[1"]), ["[1,2]"], 2),
        ("object", pl.Series([{"b": 1, "a": "x"}]), ['{"a":"x","b":1}'], 0),
        ("object", pl.Series(['{"b": 1, "a": 2}', "7"]), ['{"a":2,"b":1}'], 1),
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


@pytest.mark.parametrize(
    ("kind", "values", "rules", "kept"),
    [
        ("float", [1.0, 1.5, 2.0], {"exclusive_minimum": 1, "exclusive_maximum": 2}, [1.5]),
        ("int", [1, 2, 3, 4], {"exclusive_minimum": 1.5, "exclusive_maximum": 4}, [2, 3]),
        ("float", [0.07, 0.3, 0.125, 1e6], {"multiple_of": 0.01}, [0.07, 0.3, 1e6]),
        ("int", [-10, 3, 2**62], {"multiple_of": 5}, [-10]),
        ("int", [5, 8], {"multiple_of": 2.5}, [5]),
        ("string", ["", "ab", "abcd"], {"min_length": 1, "max_length": 3}, ["ab"]),
        ("string", ["me@example.org", "me@", "@example.org"], {"format": "email"}, ["me@example.org"]),
        ("string", ["10.0.0.1", "10.0.0.256", "10.0.0.1 "], {"format": "ipv4"}, ["10.0.0.1"]),
    ],
)
def test_rules_of_one_value_keep_what_fits_them(
    kind: str, values: list[Any], rules: dict[str, Any], kept: list[Any]
) -> None:
    checked = one(kind, pl.Series(values), **rules)
    assert checked.kept["x"].to_list() == kept
    assert (checked.rows, checked.rejected) == (len(values), len(values) - len(kept))
    assert checked.kept_lines.to_list() == [values.index(value) for value in kept]


def test_a_rule_in_sql_puts_rows_aside_where_it_is_false_and_not_where_it_is_unknown() -> None:
    rule = RowRule(name="calm in fog", expression="sky <> 'fog' OR wind_speed < 10")
    table = msgspec.structs.replace(WEATHER, row_rules=(rule,))
    checked = check(weather(sky=["fog", "fog", "fog"]), table)
    assert checked.kept_lines.to_list() == [0, 1]
    line = checked.quarantined.row(0, named=True)
    assert (line["rule"], line["expected"]) == ("calm in fog", "sky <> 'fog' OR wind_speed < 10")
    assert line["received"] == "70.0, 'fog'"


def test_times_of_decisions_and_outcomes_lie_at_most_a_day_ahead_of_the_reading() -> None:
    ahead = pl.Series([AT, AT + timedelta(days=1), AT + timedelta(days=1, seconds=1)])
    assert one("timestamp", ahead, role="other").kept.height == 3
    for role in ("made_at", "known_at"):
        checked = one("timestamp", ahead, role=role)
        assert (checked.kept.height, checked.quarantined["rule"].to_list()) == (2, ["x.future"])


def test_the_latest_time_may_be_another_than_that_of_the_reading() -> None:
    column = ColumnContract(name="x", type="timestamp", role="made_at")
    table = TableContract(name="t", columns=(column,))
    frame = pl.DataFrame({"x": [AT + timedelta(days=300)]})
    later = AT + timedelta(days=365)
    checked = check_table(table, frame, contract_version="1", at=AT, latest=later)
    assert checked.rejected == 0


KEYED = TableContract(
    name="bookings",
    columns=(ColumnContract(name="hotel", type="int"), ColumnContract(name="room", type="string")),
    foreign_keys=(ForeignKey(columns=("hotel", "room"), table="rooms", to=("id", "number")),),
)
BOOKED = pl.DataFrame({"hotel": [1, 1, 2, None], "room": ["a", "b", "a", "a"]})
ROOMS = pl.DataFrame({"id": [1, 1, 2], "number": ["a", "a", "c"]})


def test_rows_whose_key_is_in_no_row_of_the_other_table_are_put_aside() -> None:
    checked = check_table(KEYED, BOOKED, contract_version="1", at=AT, others={"rooms": ROOMS})
    assert checked.kept_lines.to_list() == [0, 3]
    assert checked.quarantined["rule"].to_list() == ["hotel+room.foreign_key"] * 2
    assert checked.quarantined["expected"][0] == "a row of rooms with the same id, number"


def test_keys_of_tables_that_are_not_there_are_not_looked_up() -> None:
    assert check(BOOKED, KEYED).rejected == 0
    with pytest.raises(DataRefused, match="rooms, which has no column number"):
        check_table(KEYED, BOOKED, contract_version="1", at=AT, others={"rooms": ROOMS.drop("number")})


def test_a_primary_key_is_unique() -> None:
    table = TableContract(
        name="t",
        columns=(ColumnContract(name="a", type="int"), ColumnContract(name="b", type="int")),
        primary_key=("a", "b"),
    )
    checked = check(pl.DataFrame({"a": [1, 1, 1], "b": [2, 3, 2]}), table)
    assert (checked.kept_lines.to_list(), failures(checked)) == ([1, 2], {"a+b.unique": 1})


def test_a_renamed_column_is_told_with_its_likely_new_name() -> None:
    with pytest.raises(DataRefused, match="was wind_speed renamed to windspeed"):
        check(weather().rename({"wind_speed": "windspeed"}))


def test_the_same_row_put_aside_again_is_the_same() -> None:
    first = check(weather(wind_speed=[1048.4, 1.0, 2.0])).quarantined
    again = check(weather(wind_speed=[1048.4, 1.0, 2.0])).quarantined
    other = check(weather(wind_speed=[1048.5, 1.0, 2.0])).quarantined
    assert first["id"].to_list() == again["id"].to_list() != other["id"].to_list()


def test_numbers_without_end_are_written_so_that_they_are_not_missing() -> None:
    line = check(weather(wind_speed=[float("inf"), 1.0, 2.0])).quarantined.row(0, named=True)
    assert (line["rule"], json.loads(line["row"])["wind_speed"]) == ("wind_speed.type", "inf")


def test_the_hour_that_the_clocks_repeat_is_two_hours() -> None:
    twice = pl.Series(["2024-11-03T01:30:00-04:00", "2024-11-03T01:30:00-05:00"])
    local = twice.str.to_datetime("%+", time_zone="UTC").dt.convert_time_zone("America/New_York")
    expected = [datetime(2024, 11, 3, hour, 30, tzinfo=UTC) for hour in (5, 6)]
    assert one("timestamp", twice, unique=True).kept["x"].to_list() == expected
    assert one("timestamp", local, unique=True).kept["x"].to_list() == expected


STAFF = TableContract(
    name="staff",
    columns=(ColumnContract(name="id", type="int"), ColumnContract(name="chief", type="int")),
    foreign_keys=(ForeignKey(columns=("chief",), table="staff", to=("id",)),),
)


@pytest.mark.parametrize(
    ("before", "kept"), [(None, [0, 1]), (pl.DataFrame(), [0, 1]), (pl.DataFrame({"id": [9]}), [0, 1, 2])]
)
def test_a_key_of_the_table_itself_is_found_in_this_delivery_or_before(
    before: pl.DataFrame | None, kept: list[int]
) -> None:
    frame = pl.DataFrame({"id": [1, 2, 3, 4], "chief": [None, 1, 9, 8]})
    others = {} if before is None else {"staff": before}
    checked = check_table(STAFF, frame, contract_version="1", at=AT, others=others)
    assert checked.kept_lines.to_list() == kept


def test_a_time_that_no_calendar_holds_is_put_aside_and_told() -> None:
    moment = pl.Series([-(10**17), 0]).cast(TIMESTAMP)
    checked = one("timestamp", moment)
    assert (checked.rejected, checked.quarantined["rule"].to_list()) == (1, ["x.type"])
    assert json.loads(checked.quarantined["row"][0])["x"].startswith("-")


# Of the rows (name, n), those that must be put aside, and those of which the rule cannot be computed.
UNKNOWABLE = [
    ("CAST(name AS INT) > 3", [("Ada", 1), ("2", 1), ("4", 1), (None, 1)], [1]),
    ("name::double > 3", [("Ada", 1), ("2.5", 1)], [1]),
    (
        "STRPTIME(name, '%Y-%m-%d') > DATE '2020-01-01'",
        [("2019-01-01", 1), ("Ada", 1), ("2021-01-01", 1)],
        [0],
    ),
    ("SUBSTR(name, 1, n) = 'A'", [("Ada", 1), ("Ada", -5), ("Ada", 2), ("Bo", 1), ("Bo", -1)], [2, 3]),
    ("POW(n, n) > 1", [("a", -2), ("a", 1), ("a", 2)], [1]),
    ("STRPOS(name, name) > 0", [("[", 1), ("a", 1)], [0]),
]


@pytest.mark.parametrize(("expression", "rows", "broken"), UNKNOWABLE)
def test_a_rule_that_cannot_be_computed_of_a_row_lets_it_pass_and_decides_the_others_everywhere_alike(
    expression: str, rows: list[tuple[str | None, int]], broken: list[int]
) -> None:
    columns = (ColumnContract(name="name", type="string"), ColumnContract(name="n", type="int"))
    table = TableContract(
        name="t", columns=columns, row_rules=(RowRule(name="r", expression=expression),), stop_above=1
    )
    frame = pl.DataFrame(rows, schema={"name": pl.String, "n": pl.Int64}, orient="row")
    assert check(frame, table).quarantined["line"].to_list() == broken
    scanned = scan_table(table, frame.lazy(), contract_version="1.0.0", at=AT)
    assert scanned.quarantined["line"].to_list() == broken
    _, faults = RowDecoder(table, ("name", "n")).partial(frame.to_dicts())
    assert [fault["row"] for fault in faults] == broken


def test_decimals_are_read_exactly_or_put_aside() -> None:
    keys = [2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63]
    checked = one("int", pl.Series([Decimal(key) for key in keys], dtype=pl.Decimal(38, 0)), unique=True)
    assert checked.kept["x"].to_list() == keys[:4]
    assert checked.quarantined.select("rule", "received").rows() == [("x.type", str(2**63))]
    amounts = pl.Series(
        [Decimal("1.50"), Decimal("2.00"), Decimal(f"{2**53 + 1}.00"), None], dtype=pl.Decimal(30, 2)
    )
    assert one("int", amounts).kept["x"].to_list() == [2, 2**53 + 1, None]
    assert one("string", amounts).kept["x"].to_list() == ["1.50", "2.00", f"{2**53 + 1}.00", None]
    assert one("float", amounts).kept["x"].to_list() == [1.5, 2.0, float(2**53 + 1), None]


def test_whole_numbers_of_more_than_64_bits_are_put_aside() -> None:
    assert one("int", pl.Series([2**64, 1], dtype=pl.Int128)).quarantined["rule"].to_list() == ["x.type"]


def test_two_keys_of_the_same_columns_are_two_rules() -> None:
    keys = tuple(ForeignKey(columns=("x",), table=name, to=("x",)) for name in ("a", "b"))
    table = TableContract(
        name="t", columns=(ColumnContract(name="x", type="int"),), foreign_keys=keys, stop_above=1
    )
    others = {"a": pl.DataFrame({"x": [1, 2]}), "b": pl.DataFrame({"x": [1]})}
    checked = check_table(
        table, pl.DataFrame({"x": [1, 2, 3]}), contract_version="1.0.0", at=AT, others=others
    )
    assert {one.rule: one.failed for one in checked.results if "foreign" in one.rule} == {
        "x.foreign_key in a(x)": 1,
        "x.foreign_key in b(x)": 2,
    }

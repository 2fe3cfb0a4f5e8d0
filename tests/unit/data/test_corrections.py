"""Corrections by rule: which rows they mend, what stays put aside, what is refused when one is declared."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.contract.check import Checked, check_table
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.data.corrections import check_correction, corrected_check, error_rules
from seatrial.errors import ExpressionInvalid
from seatrial.facts.quarantine import Correction
from tests.contracts import AT, WEATHER

KNOTS = 0.5


def weather(**changes: list[Any]) -> pl.DataFrame:
    sound = {
        "origin": ["EWR", "EWR", "JFK", "JFK"],
        "observed_at": [datetime(2025, 1, 1, hour, tzinfo=UTC) for hour in (1, 2, 3, 4)],
        "wind_speed": [3.0, 100.0, 200.0, 70.0],
        "sky": ["clear", None, "fog", "fog"],
    }
    return pl.DataFrame(sound | changes)


def correction(
    rule: str, where: str = "", *, number: int = 1, withdrawn: bool = False, **values: str
) -> Correction:
    return Correction(
        id=f"c{number}",
        product="flights",
        source="weather",
        rule=rule,
        set=values,
        where=where,
        why="it was delivered in other units",
        by="me",
        at=AT + timedelta(minutes=number),
        withdrawn=withdrawn,
    )


def checked(
    frame: pl.DataFrame, *corrections: Correction, table: TableContract = WEATHER
) -> tuple[Checked, dict[str, int]]:
    return corrected_check(table, frame, corrections, contract_version="1.0.0", at=AT)


def still(found: Checked) -> list[tuple[int, str]]:
    return found.quarantined.select("line", "rule").sort("line", "rule").rows()


def test_without_corrections_the_check_is_the_contracts_own() -> None:
    found, through = checked(weather())
    plain = check_table(WEATHER, weather(), contract_version="1.0.0", at=AT)
    assert_frame_equal(found.kept, plain.kept)
    assert_frame_equal(found.quarantined, plain.quarantined)
    assert through == {}


def test_a_mended_row_is_kept_in_its_place_and_what_is_still_broken_stays_as_it_was_delivered() -> None:
    found, through = checked(weather(), correction("wind_speed.maximum", wind_speed=f"wind_speed * {KNOTS}"))
    assert found.kept["wind_speed"].to_list() == [3.0, 50.0, 70.0]
    assert through == {"c1": 1}
    assert still(found) == [(2, "wind_speed.maximum")]
    plain = check_table(WEATHER, weather(), contract_version="1.0.0", at=AT).quarantined
    as_delivered = plain.filter(pl.col("line") == 2)
    assert found.quarantined.select("id", "row").rows() == as_delivered.select("id", "row").rows()


def test_only_rows_that_satisfy_where_are_changed_and_unknown_does_not() -> None:
    frame = weather(sky=["clear", None, "kn", "fog"], wind_speed=[3.0, 100.0, 100.0, 70.0])
    found, through = checked(
        frame, correction("wind_speed.maximum", "sky = 'kn'", wind_speed="wind_speed * 0.5")
    )
    assert found.kept["wind_speed"].to_list() == [3.0, 50.0, 70.0]
    assert (through, still(found)) == ({"c1": 1}, [(1, "wind_speed.maximum")])


def test_a_rule_of_type_is_mended_from_the_text_as_delivered() -> None:
    frame = weather(wind_speed=["3", "12 kn", "calm", "7.5"])
    mend = correction("wind_speed.type", wind_speed="CAST(REPLACE(wind_speed, ' kn', '') AS DOUBLE) * 0.5")
    found, through = checked(frame, mend)
    assert found.kept["wind_speed"].to_list() == [3.0, 6.0, 7.5]
    assert (through, still(found)) == ({"c1": 1}, [(2, "wind_speed.type")])
    plain = check_table(WEATHER, frame, contract_version="1.0.0", at=AT).quarantined
    assert_frame_equal(found.quarantined, plain.filter(pl.col("line") == 2))


def test_a_row_for_which_an_expression_fails_stays_put_aside() -> None:
    frame = weather(wind_speed=["12 kn", "calm", "9 kn", "storm"])
    mend = correction("wind_speed.type", wind_speed="CAST(REPLACE(wind_speed, ' kn', '') AS DOUBLE)")
    found, through = checked(frame, mend)
    assert (found.kept["wind_speed"].to_list(), through) == ([12.0, 9.0], {"c1": 2})
    assert still(found) == [(1, "wind_speed.type"), (3, "wind_speed.type")]


def test_a_mended_row_competes_for_its_key_with_the_sound_ones() -> None:
    frame = weather(observed_at=[datetime(2025, 1, 1, hour, tzinfo=UTC) for hour in (1, 1, 3, 3)])
    found, _ = checked(frame, correction("wind_speed.maximum", wind_speed="wind_speed / 10"))
    assert found.kept["wind_speed"].to_list() == [10.0, 70.0]
    assert still(found) == [(0, "origin+observed_at.unique"), (2, "origin+observed_at.unique")]


def test_of_two_corrections_of_one_column_the_later_declared_stands_and_each_reads_the_row_as_delivered() -> (
    None
):
    first = correction("wind_speed.maximum", wind_speed="wind_speed - 60", number=1)
    second = correction("wind_speed.maximum", "wind_speed < 150", wind_speed="wind_speed - 99", number=2)
    found, through = checked(weather(), second, first)
    assert found.kept["wind_speed"].to_list() == [3.0, 1.0, 70.0]
    assert through == {"c1": 1, "c2": 1}


def test_a_row_with_two_faults_is_let_through_only_when_both_are_mended() -> None:
    frame = weather(origin=["EWR", "Newark", "JFK", "JFK"])
    wind = correction("wind_speed.maximum", wind_speed="wind_speed / 10")
    found, through = checked(frame, wind)
    assert (still(found), through) == ([(1, "origin.values")], {"c1": 1})
    found, through = checked(frame, wind, correction("origin.values", origin="'EWR'", number=2))
    assert (still(found), through) == ([], {"c1": 2, "c2": 1})


@pytest.mark.parametrize(
    "idle",
    [
        correction("wind_speed.maximum", wind_speed="1.0", withdrawn=True),
        correction("wind_speed.minimum", wind_speed="1.0"),
        correction("wind_speed.maximum", "wind_speed > 1000", wind_speed="1.0"),
    ],
)
def test_a_correction_that_is_withdrawn_or_concerns_no_row_changes_nothing(idle: Correction) -> None:
    found, through = checked(weather(), idle)
    assert found.kept["wind_speed"].to_list() == [3.0, 70.0]
    assert through == {}


def test_a_fraction_for_a_whole_number_stays_put_aside_and_the_other_rows_keep_their_values() -> None:
    table = TableContract(
        name="weather",
        columns=(ColumnContract(name="flights", type="int", minimum=0),),
        minimum_rows=0,
        stop_above=1,
    )
    large = 2**62 + 1
    frame = pl.DataFrame({"flights": [-1, -2, large]})
    found, through = checked(frame, correction("flights.minimum", flights="(0 - flights) / 2.0"), table=table)
    assert found.kept["flights"].to_list() == [1, large]
    assert (still(found), through) == ([(0, "flights.type")], {"c1": 1})


def test_columns_beside_the_contract_are_read_as_text_and_are_null_where_not_delivered() -> None:
    mend = correction("wind_speed.maximum", "unit = '2'", wind_speed="wind_speed * 0.5")
    found, through = checked(weather().with_columns(unit=pl.Series([1, 2, 1, 1])), mend)
    assert through == {"c1": 1}
    found, through = checked(weather(), mend)
    assert (through, len(still(found))) == ({}, 2)


def test_a_correction_that_no_longer_fits_the_contract_says_what_to_do() -> None:
    narrow = TableContract(
        name="weather",
        columns=(ColumnContract(name="wind_speed", type="float", maximum=70),),
        minimum_rows=0,
        stop_above=1,
    )
    with pytest.raises(ExpressionInvalid, match=r"c1 of source weather no longer fits; withdraw it.*gusts"):
        checked(weather(), correction("wind_speed.maximum", gusts="1.0"), table=narrow)


def test_the_rules_that_put_rows_aside_are_told_without_rows() -> None:
    assert {"wind_speed.maximum", "origin+observed_at.unique"} <= set(error_rules(WEATHER, AT))
    assert "sky.max_length" not in error_rules(WEATHER, AT)


def test_a_sound_declaration_passes() -> None:
    check_correction(
        WEATHER,
        error_rules(WEATHER, AT),
        correction("wind_speed.maximum", "unit = 'kn' AND origin = 'JFK'", wind_speed="wind_speed * 0.5"),
        ["unit"],
    )


def test_every_problem_of_a_declaration_is_told_at_once() -> None:
    wrong = correction(
        "sky.max_length",
        "gusts > 1",
        wind_speed="'fast'",
        gusts="1.0",
        sky="MAX(sky)",
        origin="UPPER(",
    )
    with pytest.raises(ExpressionInvalid) as refused:
        check_correction(WEATHER, error_rules(WEATHER, AT), wrong)
    told = str(refused.value)
    for part in (
        "correction of source weather, rule sky.max_length",
        "puts no row of weather aside",
        "set wind_speed: expected a number",
        "set gusts: no such column to set",
        "set sky: `MAX(sky)` is not computed from one row alone",
        "set origin: cannot read",
        "where: unknown column gusts",
    ):
        assert part in told


def test_a_correction_must_set_something() -> None:
    with pytest.raises(ExpressionInvalid, match="expected at least one `column = expression`"):
        check_correction(WEATHER, error_rules(WEATHER, AT), correction("wind_speed.maximum"))


def test_a_time_outside_the_calendar_stays_put_aside_as_it_was_delivered() -> None:
    far = weather().with_columns(
        pl.Series("observed_at", [1, 2, 3, 10**18], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    )
    found, through = checked(far, correction("wind_speed.maximum", wind_speed="wind_speed * 0.5"))
    assert through == {"c1": 1}
    aside = found.quarantined.filter(pl.col("line") == 3)
    assert aside["rule"].to_list() == ["observed_at.type"]
    assert "33658-09-27" in aside["row"][0]

"""Rows put aside: which are open, how they read again, what a replay would make of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from seatrial.contract.check import check_table
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.quarantine import quarantine_rows
from seatrial.data.changes import as_changes
from seatrial.data.quarantine import counts, gone, newly, open_rows, rows_of, settled
from seatrial.data.replay import Replay, plan_replay
from seatrial.facts.quarantine import Correction
from seatrial.facts.tables import table_name
from tests.contracts import AT, WEATHER
from tests.fakes.tables import MemoryTables

PRODUCT = "flights"
HOUR = timedelta(hours=1)


def weather(**changes: list[Any]) -> pl.DataFrame:
    sound = {
        "origin": ["EWR", "JFK", "Newark"],
        "observed_at": [datetime(2025, 1, 1, hour, tzinfo=UTC) for hour in (1, 2, 3)],
        "wind_speed": [100.0, 200.0, -1.0],
        "sky": ["clear", None, "fog"],
    }
    return pl.DataFrame(sound | changes)


def aside(
    frame: pl.DataFrame, *, load: int = 1, at: datetime = AT, table: TableContract = WEATHER
) -> pl.DataFrame:
    found = check_table(table, frame, contract_version="1.0.0", at=at).quarantined
    return found.with_columns(pl.lit(load).cast(pl.Int64).alias("load"))


def kept(*parts: pl.DataFrame, ended: pl.DataFrame | None = None) -> MemoryTables:
    tables = MemoryTables()
    for number, part in enumerate(parts, start=1):
        tables.append(table_name(PRODUCT, "quarantine"), part, writer="test", version=number)
    if ended is not None:
        tables.append(table_name(PRODUCT, "quarantine_settled"), ended, writer="test", version=1)
    return tables


def correction(rule: str, **values: str) -> Correction:
    return Correction(
        id=f"mend {rule}",
        product=PRODUCT,
        source="weather",
        rule=rule,
        set=values,
        why="units",
        by="me",
        at=AT,
    )


def plan(
    opened: pl.DataFrame, *corrections: Correction, stored: pl.DataFrame | None = None, **more: Any
) -> Replay:
    return plan_replay(
        more.pop("table", WEATHER),
        opened,
        pl.DataFrame() if stored is None else stored,
        corrections,
        whole=more.pop("whole", False),
        contract_version="1.1.0",
        at=AT,
        **more,
    )


def stored_rows(frame: pl.DataFrame, load: int, table: TableContract = WEATHER) -> pl.DataFrame:
    sound = check_table(table, frame, contract_version="1.0.0", at=AT).kept
    return as_changes(sound, sound.clear(), load)


def test_nothing_is_open_where_nothing_was_put_aside() -> None:
    assert open_rows(MemoryTables(), PRODUCT).is_empty()


def test_open_rows_come_oldest_first_and_are_found_by_source_rule_time_and_load() -> None:
    first, second = aside(weather()[:1]), aside(weather()[1:], load=2, at=AT + HOUR)
    tables = kept(second, first)
    everything = open_rows(tables, PRODUCT)
    assert everything["load"].to_list() == [1, 2, 2, 2]
    found = {
        "source": open_rows(tables, PRODUCT, source="calls").height,
        "rule": open_rows(tables, PRODUCT, rule="origin.values").height,
        "since": open_rows(tables, PRODUCT, since=AT + HOUR).height,
        "load": open_rows(tables, PRODUCT, load=1).height,
        "both": open_rows(tables, PRODUCT, rule="wind_speed.maximum", load=2).height,
    }
    assert found == {"source": 0, "rule": 1, "since": 3, "load": 1, "both": 1}


def test_a_settled_row_is_open_again_only_when_it_is_put_aside_again() -> None:
    first = aside(weather()[:1])
    ended = settled(first["id"].to_list(), how="corrected", by="c1", load=2, at=AT + HOUR)
    assert open_rows(kept(first, ended=ended), PRODUCT).is_empty()
    again = first.with_columns(
        pl.lit(AT + 2 * HOUR).cast(pl.Datetime("us", "UTC")).alias("at"), load=pl.lit(3, pl.Int64)
    )
    assert open_rows(kept(first, again, ended=ended), PRODUCT)["load"].to_list() == [3]


def test_of_two_events_at_one_moment_the_later_load_tells() -> None:
    first, third = aside(weather()[:1]), aside(weather()[:1], load=3)
    ended = settled(first["id"].to_list(), how="delivered anew without it", by="", load=2, at=AT)
    assert open_rows(kept(first, ended=ended), PRODUCT).is_empty()
    assert open_rows(kept(first, third, ended=ended), PRODUCT)["load"].to_list() == [3]


def test_rows_are_counted_by_rule_most_first() -> None:
    found = counts(aside(weather()))
    assert found.select("source", "rule", "rows").rows() == [
        ("weather", "wind_speed.maximum", 2),
        ("weather", "origin.values", 1),
        ("weather", "wind_speed.minimum", 1),
    ]


def test_a_bad_row_delivered_again_is_listed_once_and_gone_when_it_is_delivered_no_more() -> None:
    stored, found = aside(weather()[:2]), aside(weather()[1:], load=2)
    assert set(newly(found, stored)["rule"]) == {"origin.values", "wind_speed.minimum"}
    assert gone(found, stored) == stored.filter(pl.col("line") == 0)["id"].to_list()


def test_rows_read_again_as_they_were_delivered_once_each_with_the_contracts_columns() -> None:
    mixed = (
        weather(wind_speed=[float("inf"), -5.0, -1.0]).drop("sky").with_columns(sky=None, unit=pl.lit("kn"))
    )
    again = rows_of(aside(mixed), WEATHER)
    assert again.columns == ["origin", "observed_at", "wind_speed", "sky", "unit"]
    assert again["wind_speed"].to_list() == ["inf", "-5.0", "-1.0"]
    first = check_table(WEATHER, mixed, contract_version="1.0.0", at=AT)
    second = check_table(WEATHER, again, contract_version="1.0.0", at=AT)
    verdicts = [
        found.quarantined.select("line", "rule").sort("line", "rule").rows() for found in (first, second)
    ]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([None, None], pl.Null),
        ([True, None], pl.Boolean),
        ([2**60, -1], pl.Int64),
        ([2**70, -1], pl.String),
        ([1, 0.5], pl.Float64),
        ([2**60, 0.5], pl.String),
        ([1, "x"], pl.String),
        ([[1, 2], {"a": 1}], pl.String),
    ],
)
def test_a_column_is_what_its_values_are_or_text(values: list[Any], dtype: Any) -> None:
    import msgspec

    lines = pl.DataFrame(
        {
            "line": [0, 1],
            "rule": "x.type",
            "expected": "",
            "received": "",
            "row": [msgspec.json.encode({"x": value}).decode() for value in values],
        }
    )
    table = TableContract(name="t", columns=(ColumnContract(name="x", type="string"),))
    column = rows_of(quarantine_rows("t", lines, contract_version="1", at=AT), table)["x"]
    assert column.dtype == dtype
    if dtype != pl.String:
        assert column.to_list() == values


def test_text_that_was_no_row_stays_out_of_a_replay() -> None:
    torn = aside(weather()[:1]).with_columns(row=pl.lit('"EWR,2025"'))
    assert rows_of(torn, WEATHER).height == 0
    assert plan(torn).rows.is_empty()


def test_a_replay_tells_what_passes_and_why_and_what_is_still_broken() -> None:
    opened = aside(weather())
    found = plan(opened, correction("wind_speed.maximum", wind_speed="wind_speed / 2"))
    assert found.rows["wind_speed"].to_list() == [50.0]
    assert [(how, by) for _, how, by in found.frees] == [("corrected", "mend wind_speed.maximum")]
    assert found.corrected == {"mend wind_speed.maximum": 1}
    assert sorted(found.still["rule"]) == ["origin.values", "wind_speed.maximum", "wind_speed.minimum"]
    ended = found.settlements(load=7, at=AT + HOUR)
    tables = kept(opened, ended=ended)
    assert open_rows(tables, PRODUCT)["line"].unique().to_list() == [1, 2]


def test_a_row_that_a_changed_contract_allows_is_freed_by_its_version() -> None:
    import msgspec

    wide = msgspec.structs.replace(
        WEATHER,
        columns=tuple(
            msgspec.structs.replace(column, maximum=None, minimum=None) for column in WEATHER.columns
        ),
    )
    found = plan(aside(weather()[:1]), table=wide)
    assert [(how, by) for _, how, by in found.frees] == [("fits the contract now", "1.1.0")]


def test_a_rule_limits_a_replay_to_the_rows_that_broke_it_with_all_they_broke() -> None:
    mends = [correction("origin.values", origin="'EWR'"), correction("wind_speed.minimum", wind_speed="0.0")]
    found = plan(aside(weather()), *mends, rule="origin.values")
    assert found.rows["origin"].to_list() == ["EWR"]
    assert sorted(by for _, _, by in found.frees) == ["mend origin.values", "mend wind_speed.minimum"]
    assert found.still.is_empty()


@pytest.mark.parametrize(
    ("load", "whole", "lands", "replaced", "still"),
    [
        (1, False, 1, 0, []),
        (2, False, 0, 0, ["origin+observed_at.unique"]),
        (3, False, 0, 1, []),
        (1, True, 0, 0, ["origin+observed_at.unique"]),
    ],
)
def test_of_a_key_that_is_stored_the_later_delivered_row_stands(
    load: int, whole: bool, lands: int, replaced: int, still: list[str]
) -> None:
    opened = aside(weather()[:1], load=2)
    stored = stored_rows(weather(wind_speed=[5.0, 5.0, 5.0])[:1], load)
    mend = correction("wind_speed.maximum", wind_speed="wind_speed / 2")
    found = plan(opened, mend, stored=stored, whole=whole)
    assert (found.rows.height, len(found.replaced), found.still["rule"].to_list()) == (lands, replaced, still)
    assert len(found.frees) == lands
    how = found.settlements(load=9, at=AT)["how"].to_list()
    assert how == ["corrected"] * lands + ["replaced by a later delivery"] * replaced

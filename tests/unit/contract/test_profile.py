"""Profiles: what is counted, what is left out, how far apart two columns are."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.profile import MOST_VALUES, distance, mean, merge, profile_table, quantile
from seatrial.errors import DataRefused
from seatrial.facts.profile import ColumnProfile


def profiled(kind: str, values: Any, **rules: Any) -> ColumnProfile:
    table = TableContract(name="t", columns=(ColumnContract(name="x", type=kind, **rules),))  # type: ignore[arg-type]
    found = profile_table(pl.DataFrame({"x": values}), table).column("x")
    assert found is not None
    return found


def test_numbers_are_counted_with_their_ends_and_sum() -> None:
    found = profiled("float", [1.0, -2.0, None, 0.0, 4.0])
    assert (found.rows, found.missing, found.minimum, found.maximum, found.total) == (5, 1, -2.0, 4.0, 3.0)
    assert sum(found.bins.values()) == 4
    assert mean(found) == 0.75


def test_values_are_counted_by_name_the_most_frequent_first() -> None:
    found = profiled("string", ["b", "a", "b", None])
    assert (found.top, found.others) == ({"b": 2, "a": 1}, 0)
    assert profiled("bool", [True, False, True]).top == {"true": 2, "false": 1}


def test_of_many_values_the_most_frequent_stay_and_none_is_lost() -> None:
    found = profiled("string", ["often", "often", *(f"v{i}" for i in range(MOST_VALUES + 5))])
    assert len(found.top) == MOST_VALUES
    assert found.top["often"] == 2
    assert sum(found.top.values()) + found.others == found.rows


@pytest.mark.parametrize("rules", [{"role": "key"}, {"unique": True}])
def test_values_that_identify_rows_are_counted_and_not_kept(rules: dict[str, Any]) -> None:
    found = profiled("string", ["alice", "bob"], **rules)
    assert (found.top, found.others) == ({}, 2)


def test_a_column_without_values_has_no_quantile() -> None:
    assert quantile(profiled("float", pl.Series([None, None], dtype=pl.Float64)), 0.5) is None


def test_profiles_of_different_columns_are_not_added_up() -> None:
    frame = pl.DataFrame({"x": [1.0], "y": [1.0]})
    first, second = (
        profile_table(frame, TableContract(name="t", columns=(ColumnContract(name=name, type="float"),)))
        for name in "xy"
    )
    with pytest.raises(DataRefused, match=r"of the same columns only; .*: x, y"):
        merge(first, second)


def test_columns_in_another_order_are_the_same_profile() -> None:
    columns = (ColumnContract(name="x", type="float"), ColumnContract(name="y", type="string"))
    frame = pl.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]})
    ways = [
        profile_table(frame, TableContract(name="t", columns=order)) for order in (columns, columns[::-1])
    ]
    assert merge(ways[0], ways[1]) == merge(ways[0], ways[0])


def test_another_unit_lies_as_far_away_as_can_be() -> None:
    values = np.random.default_rng(1).lognormal(6, 0.5, 500)
    assert distance(profiled("float", values), profiled("float", values * 1000)) == 1.0


def test_a_stuck_column_lies_half_its_distribution_away_or_more() -> None:
    values = np.random.default_rng(1).normal(size=500)
    assert distance(profiled("float", values), profiled("float", np.full(500, values[7]))) >= 0.5


def test_values_that_go_missing_are_a_distance() -> None:
    known, half = ["a", "b"] * 50, ["a", None] * 50
    assert distance(profiled("string", known), profiled("string", half)) == 0.5


def test_equal_distributions_are_no_distance_apart_whatever_their_size() -> None:
    moments = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 20)]
    assert distance(profiled("timestamp", moments), profiled("timestamp", moments * 3)) < 1e-12
    assert distance(profiled("string", ["a", "b"]), profiled("string", ["a", "b"] * 9)) < 1e-12

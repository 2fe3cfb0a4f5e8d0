from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, TableContract, TypeName
from seatrial.contract.profile import distance, profile_table, to_json
from seatrial.data.profiles import added_profile, bars, moment, stored_profile, summaries
from seatrial.facts.profile import ColumnProfile, TableProfile
from tests.fakes.artifacts import MemoryArtifacts

TYPES: dict[str, TypeName] = {"x": "float", "city": "string", "at": "timestamp"}
TABLE = TableContract(
    name="t", columns=tuple(ColumnContract(name=name, type=kind) for name, kind in TYPES.items())
)


def profile(**columns: pl.Series | Sequence[object]) -> TableProfile:
    return profile_table(pl.DataFrame(columns), TABLE)


def column(name: str, values: Sequence[object]) -> ColumnProfile:
    found = profile(**{name: values}).column(name)
    assert found is not None
    return found


def test_numbers_are_told_by_quantiles_and_bars() -> None:
    values = np.random.default_rng(0).normal(100, 10, 4000)
    told = summaries(profile(x=pl.Series(values)))[0]
    assert told.mean == pytest.approx(values.mean())
    assert told.quantiles["0.5"] == pytest.approx(np.median(values), rel=0.01)
    assert sum(told.bars) == pytest.approx(1)
    assert max(told.bars) == pytest.approx(0.12, abs=0.06)


def test_shares_count_missing_values_too() -> None:
    told = summaries(profile(x=[1.0, 2.0, None, None]))[0]
    assert told.missing == 0.5
    assert sum(told.bars) == pytest.approx(0.5)


def test_few_different_numbers_have_a_bar_each() -> None:
    found = bars([column("x", [1.0] * 3 + [2.0] * 1 + [5.0] * 6)])[0]
    assert [round(bar.share, 9) for bar in found] == [0.3, 0.1, 0.6]


def test_bars_of_several_profiles_lie_over_each_other() -> None:
    random = np.random.default_rng(1)
    now, before = (column("x", list(random.normal(m, 1, 2000))) for m in (3.0, 0.0))
    first, second = bars([now, before])
    assert [bar.low for bar in first] == [bar.low for bar in second]
    middle = sum(bar.share * ((bar.low or 0.0) + (bar.high or 0.0)) / 2 for bar in first)
    assert middle == pytest.approx(3.0, abs=0.2)


def test_categories_are_told_most_frequent_first_and_the_rest_together() -> None:
    values = [f"c{i}" for i in range(20) for _ in range(i + 1)]
    told = summaries(profile(city=values))[0]
    assert (told.top[0][0], told.distinct) == ("c19", 20)
    assert sum(share for _, share in told.top) + told.others == pytest.approx(1)
    drawn = bars([column("city", list(values))])[0]
    assert drawn[-1].label == "all others"
    assert sum(bar.share for bar in drawn) == pytest.approx(1)


def test_times_are_moments() -> None:
    at = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    told = summaries(profile(at=pl.Series(at, dtype=pl.Datetime("us", "UTC"))))[0]
    assert (told.minimum, told.maximum) == (at[0], at[2])
    assert moment(1e30) == datetime.max.replace(tzinfo=UTC)


def test_a_hidden_column_tells_how_much_is_missing_and_no_value() -> None:
    told = summaries(profile(city=["Ulm", None]), hidden={"city"})[0]
    assert (told.hidden, told.missing, told.top, told.distinct) == (True, 0.5, (), None)


def test_a_column_without_any_value_is_told_too() -> None:
    told = summaries(profile(x=pl.Series([None, None], dtype=pl.Float64)))[0]
    assert (told.missing, told.quantiles, told.bars) == (1.0, {}, ())
    assert bars([column("x", [])]) == [()]


def test_what_came_is_the_whole_less_what_was_there() -> None:
    old, new = [1.0, 2.0, None], [7.0, None, None]
    found = added_profile(profile(x=old + new), profile(x=old))
    assert found is not None
    came = found.column("x")
    assert came is not None
    assert (came.rows, came.missing) == (3, 2)
    assert distance(came, column("x", list(new))) == 0


def test_where_rows_went_nothing_can_be_taken_away() -> None:
    assert added_profile(profile(x=[1.0, 3.0, 4.0]), profile(x=[1.0, 2.0])) is None
    assert added_profile(profile(x=[1.0]), profile(x=[1.0])) is None
    assert added_profile(profile(x=[1.0, 2.0]), profile(city=["Ulm"])) is None


def test_a_profile_that_is_gone_is_none() -> None:
    artifacts = MemoryArtifacts()
    kept = profile(x=[1.0])
    digest = artifacts.put(to_json(kept))
    assert stored_profile(artifacts, digest) == kept
    artifacts.delete(digest)
    assert stored_profile(artifacts, digest) is None
    assert stored_profile(artifacts, "") is None

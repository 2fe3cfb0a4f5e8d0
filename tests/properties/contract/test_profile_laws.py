"""Profiles add up, quantiles keep their promise, and chance is not taken for drift."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.profile import (
    ERROR,
    distance,
    from_json,
    merge,
    noise,
    profile_table,
    quantile,
    to_json,
)
from seatrial.contract.types import polars_type

KINDS = ("float", "int", "string", "bool", "timestamp", "date")
TABLE = TableContract(
    name="t",
    columns=tuple(ColumnContract(name=kind, type=kind) for kind in KINDS),  # type: ignore[arg-type]
)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - the zone is added below
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "int": st.integers(-(2**53), 2**53),
    "string": st.text("abc", max_size=2),
    "bool": st.booleans(),
    "timestamp": MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    "date": MOMENTS.map(datetime.date),
}
ROWS = st.lists(st.fixed_dictionaries({kind: st.none() | VALUES[kind] for kind in KINDS}), max_size=12)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={kind: polars_type(kind) for kind in KINDS})


@given(ROWS, ROWS)
@settings(max_examples=50)
def test_the_profile_of_parts_adds_up_to_that_of_the_whole(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    merged = merge(profile_table(frame(first), TABLE), profile_table(frame(second), TABLE))
    whole = profile_table(frame(first + second), TABLE)
    for a, b in zip(merged.columns, whole.columns, strict=True):
        assert (a.rows, a.missing, a.minimum, a.maximum) == (b.rows, b.missing, b.minimum, b.maximum)
        assert (a.bins, a.top, a.others) == (b.bins, b.top, b.others)
        assert (a.total is None) == (b.total is None)
        assert a.total is None or math.isclose(a.total, float(b.total or 0), rel_tol=1e-9, abs_tol=1e30)
    assert from_json(to_json(whole)) == whole


@given(ROWS)
@settings(max_examples=20)
def test_a_lazy_table_has_the_profile_of_its_rows(rows: list[dict[str, Any]]) -> None:
    assert profile_table(frame(rows).lazy(), TABLE) == profile_table(frame(rows), TABLE)


@given(st.lists(VALUES["float"], min_size=1, max_size=60), st.floats(0, 1))
@settings(max_examples=50)
def test_a_quantile_is_within_the_stated_error_of_the_value_of_its_rank(
    values: list[float], share: float
) -> None:
    column = profile_table(frame([{"float": value} for value in values]), TABLE).column("float")
    assert column is not None
    exact = sorted(values)[math.floor(share * (len(values) - 1))]
    found = quantile(column, share)
    assert found == pytest.approx(exact, rel=ERROR * 1.0001, abs=1e-300)


@given(st.lists(VALUES["timestamp"], min_size=1, max_size=40), st.floats(0, 1))
@settings(max_examples=30)
def test_a_quantile_of_times_is_within_half_a_day(moments: list[datetime], share: float) -> None:
    column = profile_table(frame([{"timestamp": moment} for moment in moments]), TABLE).column("timestamp")
    assert column is not None
    exact = sorted(moments)[math.floor(share * (len(moments) - 1))]
    found = quantile(column, share)
    assert found is not None
    assert abs(found - exact.timestamp()) <= timedelta(hours=12).total_seconds()


@given(st.integers(0, 10**6), st.integers(20, 400), st.integers(20, 400))
@settings(max_examples=40)
def test_samples_of_one_distribution_differ_by_chance_alone(seed: int, first: int, second: int) -> None:
    random = np.random.default_rng(seed)
    drawn = [
        profile_table(
            pl.DataFrame(
                {"float": random.lognormal(size=rows), "string": random.choice(list("abcdefgh"), rows)}
            ),
            TABLE,
        )
        for rows in (first, second)
    ]
    for name in ("float", "string"):
        a, b = (profile.column(name) for profile in drawn)
        assert a is not None
        assert b is not None
        # Once in a thousand times it is more; a tenth beyond that is never seen.
        assert distance(a, b) <= noise(a, b) + 0.1

"""What a sample suggests, and what it must not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from seatrial.contract.check import check_table
from seatrial.contract.infer import infer_table
from seatrial.contract.model import ColumnContract, Role, TableContract
from seatrial.errors import DataRefused
from tests.contracts import AT

ROWS = 2000


def sample(**columns: Any) -> pl.DataFrame:
    wind = np.random.default_rng(0).gamma(3.0, 4.0, ROWS)
    return pl.DataFrame(
        {
            "key": [f"k{number}" for number in range(ROWS)],
            "at": [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(ROWS)],
            "wind": wind,
            "city": ["Oslo", "Rome"] * (ROWS // 2),
            "late": [0, 1] * (ROWS // 2),
        }
        | columns
    )


ROLES: dict[str, Role] = {
    "key": "key",
    "at": "made_at",
    "wind": "feature",
    "city": "feature",
    "late": "outcome",
}


def infer(frame: pl.DataFrame) -> TableContract:
    return infer_table("t", frame, roles=ROLES, unique=[("key",), ("city",), ("city", "at")])


def column(frame: pl.DataFrame, name: str) -> ColumnContract:
    found = infer(frame).column(name)
    assert found is not None
    return found


def test_types_and_roles_come_from_the_sample() -> None:
    told = {one.name: (one.type, one.role) for one in infer(sample()).columns}
    assert told == {
        "key": ("string", "key"),
        "at": ("timestamp", "made_at"),
        "wind": ("float", "feature"),
        "city": ("string", "feature"),
        "late": ("bool", "outcome"),
    }


def test_a_lone_wild_value_is_not_taken_as_the_bound() -> None:
    wind = sample()["wind"].to_list()
    wind[7] = 1048.4
    bounded = column(sample(wind=wind), "wind")
    assert bounded.maximum is not None
    assert max(wind[8:]) < bounded.maximum < 1048
    assert "1 sample rows lie outside" in bounded.evidence
    assert "quantiles" in bounded.evidence


def test_bounds_reject_at_most_a_sliver_of_the_sample() -> None:
    heavy = np.random.default_rng(1).standard_cauchy(ROWS)
    checked = check_table(infer(sample(wind=heavy)), sample(wind=heavy), contract_version="1", at=AT)
    assert checked.kept.height >= 0.999 * ROWS


def test_columns_without_gaps_are_required_but_what_is_known_later_is_not() -> None:
    wind = [None, *sample()["wind"].to_list()[1:]]
    required = {one.name: one.required for one in infer(sample(wind=wind)).columns}
    assert required == {"key": True, "at": True, "wind": False, "city": True, "late": False}


def test_only_sets_without_repetition_become_keys() -> None:
    table = infer(sample())
    assert [one.name for one in table.columns if one.unique] == ["key"]
    assert table.unique == (("city", "at"),)


def test_a_closed_set_is_a_warning() -> None:
    city = column(sample(), "city")
    assert (city.values, city.severity) == (("Oslo", "Rome"), "warning")


def test_texts_of_many_kinds_get_a_length_only() -> None:
    key = column(sample(), "key")
    assert (key.values, key.max_length, key.severity) == (None, 16, "error")
    assert "the limit is double that, at least 16" in key.evidence


def test_a_small_sample_bounds_nothing() -> None:
    small = infer(sample().head(20))
    assert [one.minimum for one in small.columns] == [None] * 5
    assert [one.required for one in small.columns] == [True, True, False, False, False]


def test_missing_and_odd_columns_are_all_named() -> None:
    odd = sample(wind=[[1.0]] * ROWS).drop("city")
    with pytest.raises(DataRefused, match=r"no column city.*wind \(List"):
        infer(odd)

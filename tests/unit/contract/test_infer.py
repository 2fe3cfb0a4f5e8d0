"""What a sample suggests, and what it must not."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from seatrial.contract.check import check_table
from seatrial.contract.infer import infer_contract, infer_table
from seatrial.contract.model import ColumnContract, Role, TableContract
from seatrial.contract.sanity import contract_problems
from seatrial.errors import DataRefused
from tests.contracts import AT

ROWS = 2000
LATER = AT + timedelta(days=365)


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
    checked = check_table(infer(sample(wind=heavy)), sample(wind=heavy), contract_version="1", at=LATER)
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


def test_bounds_follow_the_tail_between_one_and_two_spans() -> None:
    """A flat column needs less room than a skewed one; neither as much as a number in another unit."""
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"flat": rng.uniform(10, 20, 50_000), "skewed": rng.exponential(1, 50_000)})
    bounded = infer_table("t", frame, roles={"flat": "feature", "skewed": "feature"})
    flat, skewed = (one.maximum or 0.0 for one in bounded.columns)
    assert 0.9 < (flat - 20) / 10 < 1.1
    assert 1.2 < (skewed - math.log(1000)) / math.log(1000) < 2.1


def test_zero_is_the_least_where_many_rows_are_at_it() -> None:
    rain = np.maximum(0, np.random.default_rng(4).normal(0, 1, ROWS))
    assert column(sample(wind=rain), "wind").minimum == 0
    assert "none is negative" in column(sample(wind=rain), "wind").evidence


def test_zero_far_from_most_rows_is_the_least_as_a_warning_only() -> None:
    warm = [0.0, *np.random.default_rng(5).normal(20, 3, ROWS - 1)]
    found = column(sample(wind=warm), "wind")
    assert (found.minimum, found.severity) == (0, "warning")
    assert "nothing below was seen" in found.evidence


def test_no_bound_is_below_zero_where_no_value_is_and_none_above_where_none_is() -> None:
    age, debt = column(sample(wind=[18 + n % 70 for n in range(ROWS)]), "wind"), -sample()["wind"]
    assert (age.minimum, age.maximum, age.severity) == (18, 87, "warning")
    assert column(sample(wind=debt), "wind").maximum == 0


def test_whole_numbers_of_few_values_get_the_range_that_was_seen_as_a_warning() -> None:
    """A full end is the end, as with days of a month; a thin one gets a little room."""
    day = column(sample(wind=[1 + n % 31 for n in range(ROWS)]), "wind")
    adults = column(sample(wind=[4, *([1, 2] * (ROWS // 2))][:ROWS]), "wind")
    assert (day.minimum, day.maximum, day.severity) == (1, 31, "warning")
    assert (adults.minimum, adults.maximum, adults.severity) == (1, 5, "warning")


@pytest.mark.parametrize(
    ("numbers", "said"), [(range(ROWS), "a running number"), ([7] * ROWS, "all 2000 are 7")]
)
def test_running_numbers_and_single_values_tell_of_no_bounds(numbers: Any, said: str) -> None:
    found = column(sample(wind=list(numbers)), "wind")
    assert (found.minimum, found.maximum) == (None, None)
    assert said in found.evidence


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (np.random.default_rng(3).lognormal(3, 1.5, ROWS), "tail above is heavy"),
        (np.linspace(1, 9, ROWS).round(2) ** 2, "second half lie beyond what the first half suggests"),
    ],
)
def test_bounds_that_the_sample_hardly_supports_are_warnings(numbers: Any, said: str) -> None:
    found = column(sample(wind=numbers), "wind")
    assert found.maximum is not None
    assert found.severity == "warning"
    assert said in found.evidence


def test_a_format_is_proposed_only_when_every_text_has_it() -> None:
    addresses = [f"p{number}@example.com" for number in range(ROWS)]
    assert column(sample(city=addresses), "city").format == "email"
    assert column(sample(city=["nobody", *addresses[1:]]), "city").format is None


def orders(**columns: Any) -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(6)
    customers = pl.DataFrame({"customer_id": [f"c{n}" for n in range(500)], "since": ["2024-05-01"] * 500})
    order = pl.DataFrame(
        {
            "order_id": range(ROWS),
            "customer": [f"c{n}" for n in rng.integers(0, 500, ROWS)],
            "at": ["2024-05-01T12:30:00Z"] * ROWS,
            "amount": rng.gamma(3.0, 4.0, ROWS),
        }
        | columns
    )
    return {"orders": order, "customers": customers}


def test_whole_contracts_have_keys_references_and_times_written_as_text() -> None:
    contract = infer_contract("shop", orders())
    found, customers = contract.tables
    assert (contract.status, found.primary_key, customers.primary_key) == (
        "draft",
        ("order_id",),
        ("customer_id",),
    )
    assert [(key.columns, key.table, key.to) for key in found.foreign_keys] == [
        (("customer",), "customers", ("customer_id",))
    ]
    assert [one.type for one in found.columns] == ["int", "string", "timestamp", "float"]
    assert customers.columns[1].type == "date"
    assert contract_problems(contract) == []


def test_one_stranger_among_the_values_is_no_reference() -> None:
    frames = orders()
    strangers = frames["orders"]["customer"].to_list()
    strangers[5] = "nobody"
    assert infer_contract("shop", orders(customer=strangers)).tables[0].foreign_keys == ()


def test_a_drift_budget_leaves_room_for_what_the_sample_did() -> None:
    """A column that keeps changing within the sample gets the larger budget."""
    rng = np.random.default_rng(6)
    steady = infer_contract("shop", orders(amount=rng.poisson(5, ROWS))).tables[0].column("amount")
    walking = rng.poisson(np.linspace(5, 6, ROWS))
    moving = infer_contract("shop", orders(amount=walking)).tables[0].column("amount")
    assert steady is not None
    assert moving is not None
    assert steady.drift_budget is not None
    assert (steady.severity, moving.severity) == ("warning", "warning")
    assert moving.drift_budget is None or moving.drift_budget > steady.drift_budget
    assert "the drift budget is double that" in steady.evidence


def test_a_proposed_contract_keeps_the_data_it_was_read_from() -> None:
    frames = orders()
    for table in infer_contract("shop", frames).tables:
        checked = check_table(table, frames[table.name], contract_version="1", at=LATER, others=frames)
        assert checked.kept.height >= 0.999 * frames[table.name].height


def test_no_proposed_drift_budget_stops_a_load() -> None:
    """Features get budgets as warnings; what puts rows aside, what identifies, and what turns out get none."""
    frame = sample(wind=np.random.default_rng(8).uniform(10, 20, ROWS))
    told = {one.name: (one.severity, one.drift_budget is not None) for one in infer(frame).columns}
    assert told == {
        "key": ("error", False),
        "at": ("error", False),
        "wind": ("error", False),
        "city": ("warning", False),
        "late": ("error", False),
    }
    counted = infer(sample(wind=np.random.default_rng(8).poisson(5, ROWS))).column("wind")
    assert counted is not None
    assert (counted.severity, counted.drift_budget is None) == ("warning", False)

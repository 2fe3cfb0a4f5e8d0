"""What a product computes for rows: decisions, values, the baseline."""

from typing import Any

import polars as pl
import pytest

from tests.harbour import PRODUCT_FILE, call, frame, harbour_product

PRODUCT = harbour_product(
    PRODUCT_FILE
    + """
objective:
  unit: EUR
  decision: score >= threshold AND crew < 50
  value: CASE WHEN decision AND late THEN 10 * hours_late WHEN decision THEN -5 ELSE 0 END
  value_range: [-4, 30]
  baseline: crew > 11
  outcome_depends_on_action: no
"""
)


def rows(*changes: dict[str, Any]) -> pl.DataFrame:
    calls = frame("calls", [call(number, 1) | change for number, change in enumerate(changes)])
    return calls.with_columns(depth=pl.lit(4.0), length=pl.lit(20.0), room=pl.lit(2.0))


def test_a_missing_score_never_decides() -> None:
    scores = pl.Series([0.7, 0.2, None, float("nan"), float("inf"), 0.9])
    calls = rows({}, {}, {}, {}, {}, {"crew": 60})
    assert PRODUCT.decide(calls, scores, 0.5).to_list() == [True, False, None, None, None, False]


def test_value_is_capped_to_its_range_and_the_cut_is_told() -> None:
    calls = rows(
        {"late": True, "hours_late": 2.0},
        {"late": True, "hours_late": 9.0},
        {"late": False, "hours_late": 0.0},
        {"late": True, "hours_late": 2.0},
    )
    valued = PRODUCT.value(calls, pl.Series([True, True, True, False]))
    assert valued["value"].to_list() == [20.0, 30.0, -4.0, 0.0]
    assert valued["capped"].to_list() == [False, True, True, False]


def test_an_unknown_outcome_has_no_value() -> None:
    calls = rows({"late": None}, {"hours_late": None})
    valued = PRODUCT.value(calls, pl.Series([False, False]))
    assert valued["value"].to_list() == [None, None]
    assert valued["capped"].to_list() == [None, None]


def test_an_unknown_baseline_does_not_act() -> None:
    assert PRODUCT.baseline(rows({"crew": 12}, {"crew": 11}, {"crew": None})).to_list() == [
        True,
        False,
        False,
    ]


def test_rows_of_one_utc_day_are_one_block() -> None:
    calls = frame("calls", [call(0, 1), call(1, 23.9), call(2, 24)])
    assert PRODUCT.block(calls["announced_at"]).to_list() == ["2025-01-01", "2025-01-01", "2025-01-02"]


def test_a_lookup_reads_the_source_of_its_name_or_the_one_it_says() -> None:
    other = PRODUCT_FILE.replace("ships: {on: [ship]", "vessels: {source: ships, on: [ship]")
    assert harbour_product(other).lookup_source("vessels") == "ships"
    assert PRODUCT.lookup_source("tides") == "tides"


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_thresholds_are_inclusive(threshold: float) -> None:
    assert PRODUCT.decide(rows({}), pl.Series([threshold]), threshold).to_list() == [True]

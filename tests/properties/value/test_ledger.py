from datetime import timedelta
from math import fsum, isclose
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.value.ledger import current, settle
from seatrial.value.outcomes import match_outcomes
from seatrial.value.statement import statement
from tests.ledger_streams import FIRST, outcomes, predictions, product

PRODUCT = product()
LATER = FIRST + timedelta(days=30)

prediction_rows = st.lists(
    st.fixed_dictionaries(
        {
            "made_at": st.sampled_from([FIRST + timedelta(hours=hours) for hours in range(0, 120, 7)]),
            "release": st.sampled_from(["r0001", "r0002"]),
            "assigned": st.sampled_from(["live", "canary", "shadow"]),
            "score": st.none() | st.floats(0, 1),
            "decision": st.booleans(),
            "baseline": st.booleans(),
            "feature_size": st.floats(0, 9),
        }
    ),
    max_size=25,
).map(lambda rows: [{**row, "prediction_id": f"p{i}"} for i, row in enumerate(rows)])

report_rows = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(0, 30),
            "by_key": st.booleans(),
            "late": st.none() | st.booleans(),
            "revision": st.integers(0, 2),
            "after": st.integers(0, 50),
        }
    ),
    max_size=40,
).map(
    lambda rows: [
        {
            (
                "key" if row["by_key"] else "prediction_id"
            ): f"{'key-' if row['by_key'] else ''}p{row['number']}",
            "late": row["late"],
            "revision": row["revision"],
            "received_at": FIRST + timedelta(hours=int(row["after"] or 0)),
        }
        for row in rows
    ]
)


def booked(rows: list[dict[str, Any]], reports: list[dict[str, Any]]) -> pl.DataFrame:
    return settle(PRODUCT, predictions(rows), outcomes(reports), settled_at=LATER).rows


@given(prediction_rows, report_rows)
def test_totals_equal_the_sums_of_their_rows(
    rows: list[dict[str, Any]], reports: list[dict[str, Any]]
) -> None:
    ledger = booked(rows, reports)
    told = statement(ledger, PRODUCT)
    counted = ledger.filter(pl.col("assigned") != "shadow")
    value, base = fsum(counted["value"].drop_nulls()), fsum(counted["baseline_value"].drop_nulls())
    assert told.value.value == pytest.approx(value, abs=1e-9)
    assert told.baseline_value.value == pytest.approx(base, abs=1e-9)
    assert told.advantage.value == pytest.approx(value - base, abs=1e-9)
    assert told.matured == counted.height
    assert told.without_outcome == counted["value"].null_count()


@given(prediction_rows, report_rows)
def test_lines_add_up_to_the_statement(rows: list[dict[str, Any]], reports: list[dict[str, Any]]) -> None:
    told = statement(booked(rows, reports), PRODUCT)
    assert sum(line.decisions for line in told.releases) == told.matured
    assert sum(line.acted for line in told.releases) == told.acted
    by_release = fsum(line.value.value or 0.0 for line in told.releases)
    by_day = fsum(day.value for day in told.days)
    assert told.value.value is not None
    assert isclose(by_release, told.value.value, abs_tol=1e-9)
    assert isclose(by_day, told.value.value, abs_tol=1e-9)
    if told.days:
        assert isclose(told.days[-1].cumulative, told.value.value, abs_tol=1e-9)


@given(prediction_rows, report_rows, st.randoms(use_true_random=False), st.integers(0, 25))
def test_order_and_batches_of_rows_change_nothing(
    rows: list[dict[str, Any]], reports: list[dict[str, Any]], shuffle: Random, cut: int
) -> None:
    whole = booked(rows, reports)
    mixed, mixed_reports = list(rows), list(reports)
    shuffle.shuffle(mixed)
    shuffle.shuffle(mixed_reports)
    parts = pl.concat([booked(mixed[:cut], mixed_reports), booked(mixed[cut:], mixed_reports)])
    assert current(parts).equals(current(whole))
    assert statement(parts, PRODUCT) == statement(whole, PRODUCT)


@given(prediction_rows, report_rows)
def test_reporting_and_booking_twice_changes_no_total(
    rows: list[dict[str, Any]], reports: list[dict[str, Any]]
) -> None:
    once = booked(rows, reports)
    twice = booked(rows + rows, reports + reports)
    assert twice.equals(once)
    assert statement(pl.concat([once, twice]), PRODUCT) == statement(once, PRODUCT)


@given(prediction_rows, report_rows)
def test_every_report_is_accounted_for(rows: list[dict[str, Any]], reports: list[dict[str, Any]]) -> None:
    counts = match_outcomes(PRODUCT, predictions(rows), outcomes(reports))
    assert counts.matched + counts.duplicates + counts.corrected + counts.unknown == len(reports)
    doubled = match_outcomes(PRODUCT, predictions(rows), outcomes(reports + reports))
    assert doubled.matched == counts.matched
    assert doubled.corrected == counts.corrected
    assert doubled.unknown == 2 * counts.unknown

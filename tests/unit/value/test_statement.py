from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from seatrial.facts.estimate import Estimate
from seatrial.value.statement import statement
from tests.ledger_streams import FIRST, ledger_days, product


def ledger() -> pl.DataFrame:
    return ledger_days(np.random.default_rng(1), days=10, rows=20)


def test_a_shadow_earns_nothing() -> None:
    shadow = ledger_days(np.random.default_rng(2), days=10, rows=20, release="r0002").with_columns(
        pl.lit("shadow").alias("assigned")
    )
    told = statement(pl.concat([ledger(), shadow]), product())
    assert told == statement(ledger(), product())
    assert [line.release for line in told.releases] == ["r0001"]


def test_totals_carry_intervals_by_day() -> None:
    told = statement(ledger(), product())
    assert told.value.value == pytest.approx(ledger()["value"].sum())
    assert told.value.lower is not None
    assert told.value.upper is not None
    assert told.value.lower < ledger()["value"].sum() < told.value.upper
    assert told.value.n == 10


def test_since_and_until_take_decisions_of_that_time_only() -> None:
    told = statement(
        ledger(), product(), since=FIRST + timedelta(days=2), until=FIRST + timedelta(days=5), waiting=7
    )
    assert [day.day for day in told.days] == ["2024-03-03", "2024-03-04", "2024-03-05"]
    assert (told.matured, told.decisions) == (60, 67)


def test_rows_without_outcome_lower_the_coverage_and_nothing_else() -> None:
    gone = pl.col("prediction_id").str.ends_with("7")
    half = ledger().with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in ("value", "label"))
    told = statement(half, product())
    assert told.without_outcome == 20
    assert told.coverage.value == pytest.approx(0.9)
    assert told.value.value == pytest.approx(half["value"].sum())


def test_a_release_stands_beside_its_promise() -> None:
    promise = Estimate(value=1.0, lower=0.5, upper=1.5, n=60)
    line = statement(ledger(), product(), promises={"r0001": promise}).releases[0]
    assert line.promised == promise
    assert line.realised.value == pytest.approx(ledger()["value"].mean())


def test_an_empty_ledger_makes_a_statement_of_zeros() -> None:
    told = statement(pl.DataFrame(), product())
    assert (told.decisions, told.value.value, told.coverage.value, told.days) == (0, 0.0, None, ())

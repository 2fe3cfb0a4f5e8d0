from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from seatrial.value.compare import paired
from tests.ledger_streams import FIRST, ledger_days

LIVE = ledger_days(np.random.default_rng(1), days=20, rows=30)


def challenger(gain: float) -> pl.DataFrame:
    """The same rows, shadowed by a release that earns `gain` more on each and loses a little less."""
    return LIVE.with_columns(
        pl.lit("r0002").alias("release"),
        pl.lit("shadow").alias("assigned"),
        pl.col("value") + gain + 0.1 * pl.col("score"),
        pl.col("loss") * 0.9,
    )


def test_a_better_challenger_shows_in_value_and_loss() -> None:
    seen = paired(pl.concat([LIVE, challenger(0.5)]), "r0002", "r0001")
    assert (seen.rows, len(seen.days)) == (600, 20)
    assert seen.value_total.value == pytest.approx(sum(day.value for day in seen.days))
    assert seen.value_per_row.lower is not None
    assert seen.value_per_row.lower > 0.3
    assert seen.loss_per_row.upper is not None
    assert seen.loss_per_row.upper < 0.0


def test_the_comparison_turns_its_sign_with_its_sides() -> None:
    both = pl.concat([LIVE, challenger(0.5)])
    one, other = paired(both, "r0002", "r0001"), paired(both, "r0001", "r0002")
    assert one.value_total.value == pytest.approx(-(other.value_total.value or 0.0))


def test_only_rows_of_both_releases_with_known_value_count() -> None:
    half = challenger(0.5).filter(pl.col("made_at") >= FIRST + timedelta(days=10))
    lost = half.with_columns(
        pl.when(~pl.col("prediction_id").str.ends_with("1")).then(pl.col("value")).alias("value")
    )
    seen = paired(pl.concat([LIVE, lost]), "r0002", "r0001", until=FIRST + timedelta(days=15))
    assert [day.day for day in seen.days] == [f"2024-03-{day}" for day in range(11, 16)]
    assert seen.rows == 5 * 27


def test_rows_without_a_score_compare_by_value_alone() -> None:
    fallback = challenger(0.5).with_columns(pl.lit(None, dtype=pl.Float64).alias("loss"))
    seen = paired(pl.concat([LIVE, fallback]), "r0002", "r0001")
    assert (seen.days[0].loss_rows, seen.days[0].loss_mean, seen.loss_per_row.value) == (0, None, None)
    assert seen.value_per_day.n == 20


def test_nothing_in_common_says_nothing() -> None:
    seen = paired(LIVE, "r0002", "r0001")
    assert (seen.rows, seen.days, seen.value_per_row.value) == (0, (), None)

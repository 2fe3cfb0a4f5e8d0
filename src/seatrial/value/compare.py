"""A challenger against the live release on the same rows: both scored each, whichever answered.

The outcome does not depend on the action, so what the other release's decision would have earned is known as well.
"""

from datetime import datetime
from functools import partial

import msgspec
import polars as pl

from seatrial.facts.estimate import Estimate
from seatrial.facts.prediction import Variant
from seatrial.measures import blocks
from seatrial.measures.asymptotic import Moments, moments, two_sided
from seatrial.value.answered import within
from seatrial.value.ledger import current


class PairedDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day of differences, challenger less live: sums and means per row; the mean loss is over `loss_rows`."""

    day: str
    rows: int
    value: float
    value_mean: float
    loss_rows: int
    loss: float
    loss_mean: float | None


class PairedDays(msgspec.Struct, frozen=True, kw_only=True):
    """All days of differences, challenger less live: a positive value speaks for it, a positive loss against it.

    `value_total` is over all rows, for as many days again. The others may be looked at after any day: `value_per_day`
    in the product's unit, `value_per_row` and `loss_per_row` as means of daily means; their moments go into
    `measures.asymptotic` for one-sided bounds and e-values. `n` counts days.
    """

    challenger: str
    live: str
    rows: int
    days: tuple[PairedDay, ...]
    value_total: Estimate
    value_per_day: Estimate
    value_per_row: Estimate
    loss_per_row: Estimate
    day_sums: Moments
    value_moments: Moments
    loss_moments: Moments


def paired(
    ledger: pl.DataFrame,
    challenger: str,
    live: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    confidence: float = 0.95,
    tightest_at: int = 30,
) -> PairedDays:
    """The differences on the rows that both releases have in `ledger`, with known outcome, by day.

    `since` and `until` bound `made_at`: leave out a day that is not over. Bounds over time are narrowest after
    `tightest_at` days; they are asymptotic, so with few days read them with care.
    """
    rows = _pairs(within(current(ledger), since, until), challenger, live)
    days = _days(rows)
    sums, values = moments([day.value for day in days]), moments([day.value_mean for day in days])
    losses = moments([day.loss_mean for day in days if day.loss_mean is not None])
    bounded = partial(two_sided, confidence=confidence, tightest_at=tightest_at)
    return PairedDays(
        challenger=challenger,
        live=live,
        rows=rows.height,
        days=days,
        value_total=blocks.total(rows["value"].to_numpy(), rows["block"].to_numpy(), confidence=confidence),
        value_per_day=bounded(sums),
        value_per_row=bounded(values),
        loss_per_row=bounded(losses),
        day_sums=sums,
        value_moments=values,
        loss_moments=losses,
    )


def _pairs(rows: pl.DataFrame, challenger: str, live: str) -> pl.DataFrame:
    # Units that were held out got the baseline's decision, which says nothing about either release.
    decided = pl.col("assigned") != Variant.HOLDOUT.value
    known = rows.filter(decided.fill_null(True), pl.col("value").is_not_null()).select(
        "prediction_id", "release", "block", "value", "loss"
    )
    ours = known.filter(pl.col("release") == challenger)
    theirs = known.filter(pl.col("release") == live)
    both = ours.join(theirs, on="prediction_id", how="inner", maintain_order="left", suffix="_live")
    return both.select(
        "block",
        (pl.col("value") - pl.col("value_live")).alias("value"),
        (pl.col("loss") - pl.col("loss_live")).alias("loss"),
    )


def _days(rows: pl.DataFrame) -> tuple[PairedDay, ...]:
    value, loss = pl.col("value"), pl.col("loss")
    summed = rows.group_by("block").agg(
        pl.len().alias("rows"),
        value.sum().alias("value"),
        value.mean().alias("value_mean"),
        loss.count().alias("loss_rows"),
        loss.sum().alias("loss"),
        loss.mean().alias("loss_mean"),
    )
    named = summed.rename({"block": "day"}).sort("day")
    return tuple(msgspec.convert(row, PairedDay) for row in named.iter_rows(named=True))

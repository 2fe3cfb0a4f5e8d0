"""The statement: the ledger added up, with intervals by day, against the baseline and against the promise."""

import math
from collections.abc import Mapping
from datetime import datetime
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.facts.estimate import Estimate
from seatrial.facts.statement import DayLine, ReleaseLine, Statement
from seatrial.measures import blocks
from seatrial.measures.intervals import UNIT
from seatrial.product.product import Product
from seatrial.value.answered import answered


def statement(
    ledger: pl.DataFrame,
    product: Product,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    confidence: float = 0.95,
    promises: Mapping[str, Estimate] | None = None,
    waiting: int = 0,
) -> Statement:
    """What the answered rows of `ledger` with `made_at` in [`since`, `until`) were worth.

    Totals equal the sums of their rows, in whatever order and batches those were booked. `promises` maps releases to
    the value per decision that their models promised; `waiting` counts answered rows that have not matured.
    """
    rows = answered(ledger, since=since, until=until)
    known = rows.filter(pl.col("value").is_not_null())
    promised = promises or {}
    return Statement(
        product=product.name,
        unit=product.objective.section.unit,
        since=since,
        until=until,
        decisions=rows.height + waiting,
        waiting=waiting,
        matured=rows.height,
        acted=int(rows["decision"].sum()),
        without_outcome=rows["value"].null_count(),
        capped=int(rows["capped"].sum()),
        coverage=_coverage(rows, confidence),
        value=_total(known, pl.col("value"), confidence),
        baseline_value=_total(known, pl.col("baseline_value"), confidence),
        advantage=_total(known, pl.col("value") - pl.col("baseline_value"), confidence),
        loss=_mean(rows, "loss", confidence),
        releases=tuple(
            _release_line(str(name[0]), part, promised.get(str(name[0])), confidence)
            for name, part in rows.sort("release", maintain_order=True).group_by(
                "release", maintain_order=True
            )
        ),
        days=_days(known),
        objectives=tuple(sorted(rows["objective"].unique().to_list())),
    )


def _release_line(
    release: str, rows: pl.DataFrame, promised: Estimate | None, confidence: float
) -> ReleaseLine:
    known = rows.filter(pl.col("value").is_not_null())
    return ReleaseLine(
        release=release,
        decisions=rows.height,
        acted=int(rows["decision"].sum()),
        without_outcome=rows["value"].null_count(),
        capped=int(rows["capped"].sum()),
        value=_total(known, pl.col("value"), confidence),
        baseline_value=_total(known, pl.col("baseline_value"), confidence),
        advantage=_total(known, pl.col("value") - pl.col("baseline_value"), confidence),
        loss=_mean(rows, "loss", confidence),
        realised=_mean(rows, "value", confidence),
        promised=promised,
    )


def _total(known: pl.DataFrame, amount: pl.Expr, confidence: float) -> Estimate:
    amounts = known.select(amount.alias("amount"))["amount"]
    return blocks.total(amounts.to_numpy(), _blocks(known), confidence=confidence)


def _mean(rows: pl.DataFrame, name: str, confidence: float) -> Estimate:
    known = rows.filter(pl.col(name).is_not_null())
    return blocks.mean(known[name].to_numpy(), _blocks(known), confidence=confidence)


def _coverage(rows: pl.DataFrame, confidence: float) -> Estimate:
    """The share of matured decisions whose outcome is known."""
    known = rows["value"].is_not_null().cast(pl.Float64).to_numpy()
    return blocks.ratio(known, np.ones_like(known), _blocks(rows), confidence=confidence, within=UNIT)


def _days(known: pl.DataFrame) -> tuple[DayLine, ...]:
    parts = known.sort("block", maintain_order=True).group_by("block", maintain_order=True)
    # Exact sums, so that a chart and its statement never disagree in the last digit.
    sums = [
        (str(name[0]), part.height, math.fsum(part["value"]), math.fsum(part["baseline_value"]))
        for name, part in parts
    ]
    earned, baseline = accumulate(s[2] for s in sums), accumulate(s[3] for s in sums)
    return tuple(
        DayLine(
            day=day,
            decisions=count,
            value=value,
            baseline_value=base,
            cumulative=so_far,
            cumulative_baseline=base_so_far,
        )
        for (day, count, value, base), so_far, base_so_far in zip(sums, earned, baseline, strict=True)
    )


def _blocks(rows: pl.DataFrame) -> npt.NDArray[Any]:
    # Numbers sort ten times faster than names.
    return rows["block"].rank("dense").to_numpy()

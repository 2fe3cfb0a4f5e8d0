"""Matured rows as days: the dependence unit in which a release is watched."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.facts.model import Model
from seatrial.facts.prediction import Variant
from seatrial.measures.calibration import CalibrationMap, calibrate
from seatrial.measures.estimation import brier_rows


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the rows of one block: Brier loss, the loss that calibrated scores led to expect, value."""

    block: str
    rows: int = 0
    loss: float = 0.0
    expected_loss: float = 0.0
    value: float = 0.0

    def __add__(self, other: "Day") -> "Day":
        """Both parts of one block together."""
        return Day(
            block=self.block,
            rows=self.rows + other.rows,
            loss=self.loss + other.loss,
            expected_loss=self.expected_loss + other.expected_loss,
            value=self.value + other.value,
        )

    @property
    def mean_loss(self) -> float:
        """The mean Brier loss of the day's rows."""
        return self.loss / self.rows

    @property
    def mean_value(self) -> float:
        """The mean value of the day's decisions."""
        return self.value / self.rows


def answered_rows(ledger: pl.DataFrame, release: str) -> pl.DataFrame:
    """First bookings of rows that `release` answered and whose loss and value are known, in maturity order."""
    rows = ledger.filter(
        pl.col("release") == release,
        pl.col("assigned") != Variant.SHADOW.value,
        pl.col("loss").is_not_null(),
        pl.col("value").is_not_null(),
    )
    first = rows.sort("settled_at", "prediction_id").unique(
        "prediction_id", keep="first", maintain_order=True
    )
    return first.sort("matured_at", "prediction_id")


def days_of(rows: pl.DataFrame, model: Model) -> list[Day]:
    """The sums of each block, in the order of days."""
    if rows.is_empty():
        return []
    with_expected = rows.with_columns(pl.Series("expected_loss", expected_losses(model, rows["score"])))
    sums = with_expected.group_by("block").agg(
        pl.len().alias("rows"), pl.col("loss").sum(), pl.col("expected_loss").sum(), pl.col("value").sum()
    )
    return [msgspec.convert(day, Day) for day in sums.sort("block").iter_rows(named=True)]


def expected_losses(model: Model, scores: pl.Series) -> npt.NDArray[np.float64]:
    """The Brier loss that each score's calibrated probability leads to expect, in [0, 1]."""
    served = np.clip(scores.to_numpy(), 0.0, 1.0)
    return np.asarray(brier_rows(calibrated(model, scores), served), dtype=np.float64)


def calibrated(model: Model, scores: pl.Series) -> npt.NDArray[np.float64]:
    """The probability of the outcome for each score, in [0, 1]; the score itself for a model without knots."""
    served = np.clip(scores.to_numpy(), 0.0, 1.0)
    knots, probabilities = model.calibration
    if not knots:
        return np.asarray(served, dtype=np.float64)
    return np.clip(calibrate(CalibrationMap(knots, probabilities), served), 0.0, 1.0)


def day_start(block: str) -> datetime:
    """When a block begins, in UTC."""
    return datetime.fromisoformat(block).replace(tzinfo=UTC)


def day_end(block: str) -> datetime:
    """When a block's last decision has been made, in UTC."""
    return day_start(block) + timedelta(days=1)


def longest_wait(rows: pl.DataFrame, made_at: str = "made_at") -> timedelta:
    """The longest time from decision to maturity in examples or predictions; zero without rows."""
    waits = rows.select((pl.col("matured_at") - pl.col(made_at)).max())
    return waits.item() or timedelta(0)


def merged(open_days: Sequence[Day], new: Sequence[Day]) -> tuple[Day, ...]:
    """Both lists of days as one, each block once, in the order of days."""
    days = {day.block: day for day in open_days}
    for day in new:
        days[day.block] = days[day.block] + day if day.block in days else day
    return tuple(days[block] for block in sorted(days))

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
    """Sums over the rows of one block: Brier loss, the loss that calibrated scores led to expect, value.

    `rows` have a known value; `loss_rows` of them were scored, which fallback answers are not. `missing` answers were
    booked without a value that has not come since.
    """

    block: str
    rows: int = 0
    missing: int = 0
    loss_rows: int = 0
    loss: float = 0.0
    expected_loss: float = 0.0
    value: float = 0.0

    def __add__(self, other: "Day") -> "Day":
        """Both parts of one block together."""
        return Day(
            block=self.block,
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            loss_rows=self.loss_rows + other.loss_rows,
            loss=self.loss + other.loss,
            expected_loss=self.expected_loss + other.expected_loss,
            value=self.value + other.value,
        )

    @property
    def coverage(self) -> float:
        """The share of the day's answers with a known value, in [0, 1]."""
        # Negative where only the late outcomes of answers came that were booked before the watch began.
        answers = self.rows + max(0, self.missing)
        return self.rows / answers if answers else 1.0

    @property
    def mean_loss(self) -> float | None:
        """The mean Brier loss of the day's scored rows; None without any."""
        return self.loss / self.loss_rows if self.loss_rows else None

    @property
    def mean_value(self) -> float | None:
        """The mean value of the day's decisions; None without any."""
        return self.value / self.rows if self.rows else None


def answered_rows(ledger: pl.DataFrame, release: str) -> pl.DataFrame:
    """Rows that `release` answered: first bookings and first known values (`awaited`), in maturity order."""
    # What a release is worth is not what the units held out from it got, nor the rows on which a canary failed.
    others = (Variant.SHADOW.value, Variant.HOLDOUT.value)
    own = (pl.col("assigned") == pl.col("served")) & ~pl.col("assigned").is_in(others)
    rows = ledger.filter(pl.col("release") == release, own)
    # Ledgers of before have no such mark: they held nothing but first bookings.
    mark = pl.col("awaited").fill_null(False) if "awaited" in rows.columns else pl.lit(False)
    first = (
        rows.with_columns(mark.alias("awaited"))
        .sort("settled_at", "prediction_id")
        .unique(["prediction_id", "awaited"], keep="first", maintain_order=True)
    )
    return first.sort("matured_at", "prediction_id", "awaited")


def days_of(rows: pl.DataFrame, model: Model) -> list[Day]:
    """The sums of each block, in the order of days."""
    if rows.is_empty():
        return []
    known = pl.col("value").is_not_null()
    scored = known & pl.col("loss").is_not_null()
    expected = pl.Series("expected_loss", expected_losses(model, rows["score"].fill_null(0.0)))
    sums = (
        rows.with_columns(expected)
        .group_by("block")
        .agg(
            known.sum().cast(pl.Int64).alias("rows"),
            ((~known).cast(pl.Int64) - pl.col("awaited").cast(pl.Int64)).sum().alias("missing"),
            scored.sum().cast(pl.Int64).alias("loss_rows"),
            pl.col("loss").filter(scored).sum(),
            pl.col("expected_loss").filter(scored).sum(),
            pl.col("value").sum(),
        )
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

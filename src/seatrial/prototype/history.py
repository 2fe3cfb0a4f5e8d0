"""Settled examples as the leak checks look at them: labels, days, waits, and columns counted by value."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
# More rows make the checks slower, not surer.
MOST_ROWS = 500_000
FEWEST_ROWS = 500
# What a contingency table needs in a cell before its counts are near their limits.
ENOUGH_IN_CELL = 30
_DISCRETE = 50
_BINS = 20
_ATOM = 0.02


@dataclass(frozen=True)
class History:
    """Rows whose outcome is known, in the order given.

    `label` holds their outcome, `day` the day of the decision (counted from 1970). `waited` are the seconds from
    the decision until the outcome was known, `horizon` those until either outcome would have been known; both are
    NaN, or `horizon` is None, where nobody says.
    """

    frame: pl.DataFrame
    label: Bools
    made_at: pl.Series
    waited: Floats
    horizon: Floats | None

    @cached_property
    def day(self) -> npt.NDArray[np.int64]:
        """The day of each decision, counted from 1970."""
        return self.made_at.dt.epoch("d").cast(pl.Int64).to_numpy()

    @property
    def base(self) -> float:
        """The share of positive outcomes, in [0, 1]."""
        return float(self.label.mean())

    @property
    def entropy(self) -> float:
        """What there is to know of an outcome, in nats."""
        return -sum(share * math.log(share) for share in (self.base, 1 - self.base) if share)


def read_history(
    frame: pl.DataFrame,
    *,
    label: str,
    made_at: str,
    known_at: str | None = None,
    matured_at: pl.Expr | None = None,
) -> History | None:
    """The settled rows of a table, evenly thinned to 500,000; None when they are too few or all of one outcome."""
    settled = frame.filter(pl.col(label).is_not_null() & pl.col(made_at).is_not_null())
    settled = settled.gather_every(math.ceil(settled.height / MOST_ROWS)) if settled.height else settled
    positive = (settled[label].cast(pl.Float64) > 0).to_numpy()
    if min(int(positive.sum()), int((~positive).sum())) < ENOUGH_IN_CELL or len(positive) < FEWEST_ROWS:
        return None
    made = _moment(settled[made_at])
    known = _moment(settled[known_at]) if known_at else None
    horizon = None if matured_at is None else _seconds(_moment(settled.select(matured_at).to_series()), made)
    return History(
        frame=settled,
        label=positive,
        made_at=made,
        waited=np.full(len(positive), np.nan) if known is None else _seconds(known, made),
        horizon=horizon if horizon is not None and np.isfinite(horizon).any() else None,
    )


def _moment(series: pl.Series) -> pl.Series:
    moment = series.cast(pl.Datetime("us")) if series.dtype == pl.Date else series.dt.cast_time_unit("us")
    # What says no zone is taken for UTC, as the contract does with dates.
    zone = getattr(moment.dtype, "time_zone", None)
    return moment.dt.convert_time_zone("UTC") if zone else moment.dt.replace_time_zone("UTC")


def _seconds(later: pl.Series, earlier: pl.Series) -> Floats:
    passed: Floats = (
        ((later - earlier).dt.total_microseconds() / 1e6).cast(pl.Float64).fill_null(np.nan).to_numpy()
    )
    return passed


def is_number(series: pl.Series) -> bool:
    """Whether the values are numbers that mean an amount or a count."""
    return bool(series.dtype.is_numeric())


def counted(history: History, name: str) -> pl.DataFrame:
    """The cells of a column, most frequent first: `cell`, `low`, `exact`, `n`, `positive`, `days`.

    A cell is one value, the missing values (`cell` null), or, of numbers with many values, a bin; `low` orders
    the cells of numbers, `exact` tells cells of one value. `days` are the different days of decision in it.
    """
    series = history.frame[name]
    series = series.fill_nan(None) if series.dtype.is_float() else series
    if series.dtype.is_nested() or series.dtype.is_temporal():
        return pl.DataFrame()
    number = is_number(series)
    rows = pl.DataFrame(
        {
            "code": _codes(series) if number else series.cast(pl.String),
            "value": series.cast(pl.Float64) if number else pl.Series([None] * len(series), dtype=pl.Float64),
            "positive": history.label,
            "day": history.day,
        }
    )
    cells = rows.group_by("code").agg(
        pl.col("value").min().alias("low"),
        pl.col("value").max().alias("high"),
        pl.len().cast(pl.Float64).alias("n"),
        pl.col("positive").sum().cast(pl.Float64),
        pl.col("day").n_unique().alias("days"),
    )
    exact = pl.col("code").is_null() | (pl.col("low") == pl.col("high")) | pl.lit(not number)
    words = _words() if number else pl.col("code")
    return cells.with_columns(words.alias("cell"), exact.alias("exact")).sort(
        ["n", "low", "cell"], descending=[True, False, False]
    )


def _codes(series: pl.Series) -> pl.Series:
    """A code per value, or per bin of a twentieth of the rows where there are many values; null stays null."""
    present = series.drop_nulls()
    if present.n_unique() <= _DISCRETE:
        return series.cast(pl.Float64).cast(pl.String)
    values = present.cast(pl.Float64).to_numpy()
    frequent = present.value_counts().filter(pl.col("count") >= _ATOM * len(present))[present.name]
    atoms = frequent.cast(pl.Float64).to_numpy()
    quantiles = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1], method="inverted_cdf")
    edges = np.unique(np.concatenate([quantiles, atoms, np.nextafter(atoms, -np.inf)]))
    codes = np.searchsorted(edges, series.cast(pl.Float64).fill_null(0.0).to_numpy(), side="left")
    return pl.Series(codes).cast(pl.String).zip_with(series.is_not_null(), pl.Series([None], dtype=pl.String))


def _words() -> pl.Expr:
    one = pl.format("{}", _shown("low"))
    several = pl.format("{} to {}", _shown("low"), _shown("high"))
    return pl.when(pl.col("low") == pl.col("high")).then(one).otherwise(several)


def _shown(name: str) -> pl.Expr:
    whole = pl.col(name) == pl.col(name).round(0)
    return (
        pl.when(whole)
        .then(pl.col(name).cast(pl.Int64, strict=False).cast(pl.String))
        .otherwise(pl.col(name).round_sig_figs(4).cast(pl.String))
    )


def information(n: Any, positive: Any) -> float:
    """What cells tell of an outcome, in nats over all rows, less what chance alone would tell.

    The likelihood ratio G2 / 2 of a table of outcomes by cell, less its expectation under independence, half its
    degrees of freedom (Wilks 1938). Cells of fewer than 30 rows are taken together.
    """
    n, positive = _pooled(np.asarray(n, dtype=float), np.asarray(positive, dtype=float))
    if len(n) < 2 or not 0 < positive.sum() < n.sum():
        return 0.0
    base = positive.sum() / n.sum()
    told = _told(positive, n * base) + _told(n - positive, n * (1 - base))
    return max(0.0, told - (len(n) - 1) / 2)


def _pooled(n: Floats, positive: Floats) -> tuple[Floats, Floats]:
    small = n < ENOUGH_IN_CELL
    if not small.any():
        return n, positive
    rest = [(n[small].sum(), positive[small].sum())]
    cells = [*zip(n[~small], positive[~small], strict=True), *rest]
    return np.array([cell[0] for cell in cells]), np.array([cell[1] for cell in cells])


def _told(observed: Floats, expected: Floats) -> float:
    there = observed > 0
    return float(np.sum(observed[there] * np.log(observed[there] / expected[there])))


def log_odds(positive: float, n: float) -> float:
    """Log odds with half a row added to either side, so that empty sides stay finite (Haldane 1956)."""
    return math.log((positive + 0.5) / (n - positive + 0.5))

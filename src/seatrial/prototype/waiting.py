"""What the time between a decision and its outcome does to a column: how it grows, and whether it is counted."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from seatrial.prototype.history import ENOUGH_IN_CELL, Bools, Floats, History, is_number
from seatrial.prototype.suspicion import Suspicion

_STRATA = 10
# At least doubled, and beyond what many columns show by chance.
_SURE_GROWTH = 5.0
_GROWTH = 2.0
_UNITS = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0}
_ENOUGH_COUNTED = 100
_ENOUGH_VIOLATIONS = 30
_STATED_VIOLATIONS = 0.01


def had_time(history: History) -> bool:
    """Whether time passed between decisions and outcomes, in which something could have been written."""
    known = history.waited[np.isfinite(history.waited)]
    return len(known) > 0 and float(np.median(known)) > 0


def settled_sooner(history: History, changed: Bools) -> bool:
    """Whether the outcome that keeps the usual value was known the sooner: there was less time to change it."""
    keeps = history.label[~changed].mean() > history.label[changed].mean()
    left = history.waited if history.horizon is None else history.waited - history.horizon
    keeping, other = (left[np.isfinite(left) & (history.label == one)] for one in (keeps, not keeps))
    return len(keeping) > 0 and len(other) > 0 and bool(np.median(keeping) <= np.median(other))


@dataclass(frozen=True)
class Growth:
    """How the share of changed rows grows with the wait, among rows of one outcome at the same horizon."""

    early: float
    late: float
    z: float
    rows: int

    @property
    def sure(self) -> bool:
        """Whether the share at least doubles, and not by chance."""
        return self.late >= _GROWTH * self.early and self.z >= _SURE_GROWTH

    def __str__(self) -> str:
        return (
            f"of {self.rows:,} rows of one outcome and like horizons, {self.early:.1%} differ where it was known "
            f"soon and {self.late:.1%} where it was known late (z = {self.z:.0f})"
        )


def growth_with_wait(history: History, changed: Bools) -> Growth | None:
    """How the share of `changed` grows with the wait, for the outcome that shows it most; None without a horizon.

    A Mantel trend test over strata of equal horizon, its variance taken over days. Only outcomes that came before
    their horizon tell: those that come at the planned time have waited for as long as was known beforehand.
    """
    if history.horizon is None or not had_time(history):
        return None
    with np.errstate(invalid="ignore"):
        usable = (history.horizon > 0) & (history.waited < history.horizon)
    found = [
        growth
        for outcome in (False, True)
        if (growth := _growth(history, changed, usable & (history.label == outcome))) is not None
    ]
    return max(found, key=lambda one: one.z, default=None)


def _growth(history: History, changed: Bools, rows: Bools) -> Growth | None:
    from scipy.stats import rankdata

    assert history.horizon is not None  # growth_with_wait returns without it
    if rows.sum() < _STRATA * ENOUGH_IN_CELL:
        return None
    flags, horizon = changed[rows].astype(float), history.horizon[rows]
    progress, day = history.waited[rows] / horizon, history.day[rows]
    stratum = np.searchsorted(np.quantile(horizon, np.linspace(0, 1, _STRATA + 1)[1:-1]), horizon)
    scores, early, late = np.zeros(len(flags)), np.zeros(3), np.zeros(3)
    for one in np.unique(stratum):
        there = np.flatnonzero(stratum == one)
        rank = (rankdata(progress[there]) - 0.5) / len(there)
        scores[there] = (flags[there] - flags[there].mean()) * (rank - 0.5)
        for total, part in ((early, rank < 1 / 3), (late, rank > 2 / 3)):
            total += [flags[there][part].sum(), part.sum(), 0.0]
    by_day = np.bincount(np.unique(day, return_inverse=True)[1], weights=scores)
    noise = math.sqrt(float(np.sum(by_day**2)))
    if noise == 0 or not early[1] or not late[1]:
        return None
    return Growth(early[0] / early[1], late[0] / late[1], float(scores.sum()) / noise, int(rows.sum()))


def counts_the_wait(history: History, name: str) -> Suspicion | None:
    """The suspicion against a mostly zero number that never exceeds the time until the outcome was known, or None.

    What was counted until the end cannot be longer than the time there was. A column that does not know that time
    would be: as often as if each row had waited like any other row of its outcome and with a like horizon.
    """
    series = history.frame[name]
    if not is_number(series):
        return None
    values = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
    counted = np.isfinite(values) & (values > 0) & np.isfinite(history.waited)
    if counted.sum() < _ENOUGH_COUNTED or np.nanmin(values) < 0 or float(np.mean(values == 0)) < 0.5:
        return None
    for unit, seconds in _UNITS.items():
        # What is told in whole units may be one too many by rounding.
        longest = (values - 1) * seconds
        beyond = int(np.sum(longest[counted] > history.waited[counted]))
        expected = _beyond_by_chance(history, longest, counted)
        if expected >= _ENOUGH_VIOLATIONS and beyond <= _STATED_VIOLATIONS * expected:
            evidence = (
                f"read as {unit}, {beyond} of {int(counted.sum()):,} rows above zero exceed the wait; "
                f"by chance {expected:,.0f} would"
            )
            return Suspicion(
                name, "counts the wait", "ask" if history.horizon is None else "refused", evidence
            )
    return None


def _beyond_by_chance(history: History, longest: Floats, counted: Bools) -> float:
    """How many counted rows would exceed the wait of a row drawn from those of one outcome and like horizons."""
    horizon = np.zeros(len(history.label)) if history.horizon is None else history.horizon
    edges = np.quantile(horizon[np.isfinite(horizon)], np.linspace(0, 1, _STRATA + 1)[1:-1])
    group = np.searchsorted(edges, horizon) * 2 + history.label
    expected = 0.0
    for one in np.unique(group):
        waits = np.sort(history.waited[(group == one) & np.isfinite(history.waited)])
        if len(waits):
            rows = longest[(group == one) & counted]
            expected += float(np.searchsorted(waits, rows).sum()) / len(waits)
    return expected

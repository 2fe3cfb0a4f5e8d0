"""Values of a column that settle the outcome: what is filled in, or happens, only after it."""

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from seatrial.prototype.history import ENOUGH_IN_CELL, History, is_number
from seatrial.prototype.suspicion import Suspicion

# Rows of one day may be one group with one fate, so days are counted as if each were a single row.
FEWEST_DAYS = 30
# Chance of a settled value by luck, over everything that is looked at in a column.
LUCK = 1e-6
# The 95 % bound of the exceptions must lie this far below what the base rate would give.
_BOUND = 0.25
# Without proof, a question is worth asking where the odds of an exception fell twentyfold ...
_NEARLY = 20
# ... for so many rows that it matters.
_SHARE = 0.01
_ROWS = 200


def certain_values(history: History, name: str, cells: pl.DataFrame) -> Suspicion | None:
    """The suspicion against a column of which some value settles the outcome, or None.

    Refused: a value, or what differs from the usual one, without a single exception, over so many days that luck is
    out of the question (rule of three over days). Asked: nearly so, or the far end of a number.
    """
    proven = [cell for cell in _settled(history, name, cells) if _is_proven(cell, history, len(cells) + 1)]
    if proven:
        return Suspicion(name, "certain outcome", "refused", _most(proven, history))
    nearly = [cell for cell in (*_exact(cells), *_tails(history, name, cells)) if _is_nearly(cell, history)]
    return Suspicion(name, "certain outcome", "ask", _most(nearly, history)) if nearly else None


class _Cell:
    """Rows that say the same: how many, on how many days, and how many of them have the rarer outcome."""

    def __init__(self, words: str, n: float, positive: float, days: int) -> None:
        self.words, self.n, self.positive, self.days = words, n, positive, days
        self.mostly = positive * 2 > n
        self.exceptions = n - positive if self.mostly else positive

    def expected(self, base: float) -> float:
        """The share of exceptions that the base rate gives."""
        return 1 - base if self.mostly else base


def _exact(cells: pl.DataFrame) -> list[_Cell]:
    exact = cells.filter(pl.col("exact")).iter_rows(named=True)
    return [_Cell(_named(row["cell"]), row["n"], row["positive"], row["days"]) for row in exact]


def _named(cell: str | None) -> str:
    return "missing" if cell is None else f"{cell}"


def _settled(history: History, name: str, cells: pl.DataFrame) -> Iterator[_Cell]:
    """What a hand may have written: categories, flags, gaps, and whatever differs from the usual value.

    A single value of a number among many lies on a scale, at whose ends honest numbers become certain too.
    """
    many = is_number(history.frame[name]) and cells["cell"].drop_nulls().len() > len(("no", "yes"))
    yield from _exact(cells.filter(pl.col("cell").is_null()) if many else cells)
    usual = cells.row(0, named=True)
    if usual["exact"] and usual["n"] > len(history.label) / 2 and len(cells) > 2:
        other = other_than(history.frame[name], usual["cell"], usual["low"])
        words = "any value" if usual["cell"] is None else f"anything but {usual['cell']}"
        days = len(np.unique(history.day[other]))
        yield _Cell(words, float(other.sum()), float(history.label[other].sum()), days)


def other_than(
    series: pl.Series, cell: str | None, low: float | None
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """True for rows whose value is not that of the exact cell; a missing value differs from any other."""
    if cell is None:
        present = series.is_not_null() & (series.is_not_nan() if series.dtype.is_float() else True)
        return present.to_numpy()
    same = series.cast(pl.Float64) == low if is_number(series) else series.cast(pl.String) == cell
    return ~same.fill_null(False).to_numpy()


def _is_proven(cell: _Cell, history: History, looked_at: int) -> bool:
    if cell.exceptions or cell.days < FEWEST_DAYS:
        return False
    expected = cell.expected(history.base)
    chance = cell.days * math.log1p(-expected) + math.log(looked_at)
    return chance < math.log(LUCK) and 1 - 0.05 ** (1 / cell.days) <= _BOUND * expected


def _is_nearly(cell: _Cell, history: History) -> bool:
    from scipy.stats import beta

    if cell.n < max(_ROWS, _SHARE * len(history.label)) or cell.days < FEWEST_DAYS:
        return False
    # Clopper and Pearson (1934), one-sided 95 %.
    upper = (
        float(beta.ppf(0.95, cell.exceptions + 1, cell.n - cell.exceptions))
        if cell.exceptions < cell.n
        else 1.0
    )
    return upper * _NEARLY <= cell.expected(history.base)


def _tails(history: History, name: str, cells: pl.DataFrame) -> Iterator[_Cell]:
    """The lower and the upper ends of a number, as far as they reach."""
    if not is_number(history.frame[name]):
        return
    ordered = cells.filter(pl.col("low").is_not_null()).sort("low").rows(named=True)
    for side, rows in (("at most", ordered), ("at least", ordered[::-1])):
        n = positive = 0.0
        days = 0
        for row in rows[:-1]:
            n, positive, days = n + row["n"], positive + row["positive"], max(days, row["days"])
            if n >= ENOUGH_IN_CELL:
                yield _Cell(f"{side} {row['high' if side == 'at most' else 'low']:g}", n, positive, days)


def _most(cells: list[_Cell], history: History) -> str:
    cell = max(cells, key=lambda one: one.n)
    share = cell.positive / cell.n
    return (
        f"{cell.words}: {cell.n:,.0f} rows of {cell.days} days, {share:.2%} with the outcome "
        f"({cell.exceptions:,.0f} exceptions; overall {history.base:.1%})"
    )

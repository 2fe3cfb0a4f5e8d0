"""Columns that were last written when the outcome became known: defaults until then, counts, copies of a sibling."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from seatrial.prototype.certainty import other_than
from seatrial.prototype.history import (
    ENOUGH_IN_CELL,
    Bools,
    Floats,
    History,
    information,
    log_odds,
)
from seatrial.prototype.suspicion import Suspicion, Verdict
from seatrial.prototype.waiting import growth_with_wait, had_time, settled_sooner

# A default changes the odds at least twofold; less is not worth a question.
_ODDS = math.log(2)
# What may be a default is at least this much more frequent than the next value.
_USUAL = 2
# All other values must tell next to nothing beyond not being the default.
_EXPLAINED = 0.85
# Chance that a usual value differs so much from the others if it were one of them. Few columns have a usual value and
# others that agree, so this asks one question without a reason in about ten tables.
_CHANCE = 0.01
# What is counted at a steady pace grows fivefold from the first third of the waits to the last.
_STEADY_GROWTH = 4.0


def default_until_updated(history: History, name: str, cells: pl.DataFrame) -> Suspicion | None:
    """The suspicion against a column of which one usual value tells all: it looks like what stood there at first.

    The values other than the usual one agree on the outcome, and the usual one is an outlier among them (random
    effects by DerSimonian and Laird 1986; Student's t). Refused where it also departs
    from the usual value the oftener, the later the outcome came, at the same horizon.
    """
    usual = _default(cells)
    if usual is None or not had_time(history) or not (_tells_all(cells) and _stands_apart(cells)):
        return None
    changed = other_than(history.frame[name], usual["cell"], usual["low"])
    if not settled_sooner(history, changed):
        return None
    growth = growth_with_wait(history, changed)
    evidence = (
        f"{_rate(history, ~changed, str(usual['cell']))}, {_rate(history, changed, 'anything else')}, "
        f"and the {len(cells) - 1} other values agree"
    )
    refused = growth is not None and growth.sure
    told = f"{evidence}; {growth}" if growth is not None and refused else evidence
    return Suspicion(name, "written until the end", "refused" if refused else "ask", told)


def _default(cells: pl.DataFrame) -> dict[str, Any] | None:
    if cells.height < 3 or not cells["exact"][0] or cells["cell"][0] is None:
        return None
    return cells.row(0, named=True) if cells["n"][0] >= _USUAL * cells["n"][1] else None


def _tells_all(cells: pl.DataFrame) -> bool:
    """Whether being the usual value or not is nearly all that the column tells, and tells enough."""
    n, positive = cells["n"].to_numpy(), cells["positive"].to_numpy()
    apart = information([n[0], n[1:].sum()], [positive[0], positive[1:].sum()])
    differs = log_odds(positive[0], n[0]) - log_odds(positive[1:].sum(), n[1:].sum())
    return abs(differs) >= _ODDS and apart >= _EXPLAINED * information(n, positive)


def _stands_apart(cells: pl.DataFrame) -> bool:
    """Whether the usual value is an outlier among the values, by their outcomes."""
    from scipy.stats import t

    n, positive = cells["n"].to_numpy(), cells["positive"].to_numpy()
    others = np.flatnonzero(n >= ENOUGH_IN_CELL)[1:]
    if len(others) < 2:
        return False
    effects = np.array([log_odds(positive[one], n[one]) for one in others])
    variances = 1 / (positive[others] + 0.5) + 1 / (n[others] - positive[others] + 0.5)
    mean, spread = _random_effects(effects, variances)
    wide = math.sqrt(spread * (1 + 1 / len(others)) + 1 / float(np.sum(1 / variances)))
    differs = abs(log_odds(positive[0], n[0]) - mean)
    return 2 * float(t.sf(differs / wide, len(others) - 1)) < _CHANCE


def _random_effects(effects: Floats, variances: Floats) -> tuple[float, float]:
    """The mean of effects and the variance between them, by the method of moments."""
    weights = 1 / variances
    fixed = float(np.average(effects, weights=weights))
    scatter = float(np.sum(weights * (effects - fixed) ** 2)) - (len(effects) - 1)
    between = max(0.0, scatter / float(weights.sum() - np.sum(weights**2) / weights.sum()))
    return float(np.average(effects, weights=1 / (variances + between))), between


def grows_with_wait(history: History, name: str, cells: pl.DataFrame) -> Suspicion | None:
    """The suspicion against a mostly zero count that rises above zero the oftener, the later the outcome came.

    Who is slow to cancel may honestly be another kind of customer, so this is asked. Refused is a count that grows
    as steadily as if it had been counted while the outcome was open, or of which nothing but zero or more matters.
    """
    series = history.frame[name]
    if not series.dtype.is_integer() or series.min() != 0 or cells["low"][0] != 0:
        return None
    above = (series > 0).fill_null(False).to_numpy()
    growth = growth_with_wait(history, above) if above.mean() < 0.5 else None
    if growth is None or not growth.sure:
        return None
    written = _tells_all(cells) and settled_sooner(history, above)
    steady = growth.late >= _STEADY_GROWTH * growth.early
    verdict: Verdict = "refused" if written or steady else "ask"
    zero = f"{_rate(history, ~above, 'zero')}, {_rate(history, above, 'above zero')}"
    return Suspicion(name, "written until the end", verdict, f"{zero}; {growth}")


def rewritten_siblings(history: History, names: list[str]) -> Iterator[Suspicion]:
    """The columns that began as a copy of a sibling and differ from it by the outcome.

    Of the two, the one whose own values tell more of the outcome is the one that was written again.
    """
    texts = {name: history.frame[name].cast(pl.String) for name in names if _is_text(history.frame[name])}
    words = {name: set(series.drop_nulls().unique()) for name, series in texts.items()}
    for first, second in combinations(texts, 2):
        if 2 * len(words[first] & words[second]) < len(words[first] | words[second]):
            continue
        differs = (texts[first] != texts[second]).fill_null(False).to_numpy()
        if ENOUGH_IN_CELL <= differs.sum() <= len(differs) / 2:
            yield from _rewritten(history, first, second, differs)


def _is_text(series: pl.Series) -> bool:
    return series.dtype in (pl.String, pl.Categorical, pl.Enum)


def _rewritten(history: History, first: str, second: str, differs: Bools) -> Iterator[Suspicion]:
    label = history.label
    apart = log_odds(label[differs].sum(), differs.sum()) - log_odds(label[~differs].sum(), (~differs).sum())
    if abs(apart) < _ODDS or not had_time(history):
        return
    later, other = sorted((first, second), key=lambda name: _told_by(history, name), reverse=True)
    growth = growth_with_wait(history, differs)
    evidence = f"{_rate(history, ~differs, f'equal to {other}')}, {_rate(history, differs, 'different')}"
    refused = growth is not None and growth.sure
    told = f"{evidence}; {growth}" if refused else evidence
    yield Suspicion(later, "written until the end", "refused" if refused else "ask", told)


def _told_by(history: History, name: str) -> float:
    cells = (
        pl.DataFrame({"value": history.frame[name].cast(pl.String), "positive": history.label})
        .group_by("value")
        .agg(pl.len().alias("n"), pl.col("positive").sum())
    )
    return information(cells["n"], cells["positive"])


def _rate(history: History, rows: Bools, words: str) -> str:
    return f"{words}: {history.label[rows].mean():.1%} of {int(rows.sum()):,} rows"

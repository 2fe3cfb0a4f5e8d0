"""Columns that are the outcome, or from which it can be computed."""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from seatrial.prototype.history import Bools, Floats, History, information, is_number
from seatrial.prototype.suspicion import Suspicion, Verdict

# The share of what there is to know of the outcome that no honest column tells.
NEARLY_ALL = 0.9
# What rounding and a few corrections may spoil.
_SAME = 0.999
_SAMPLED = 400
_FEWEST_VALUES = 10
_LINEAR = 0.999


def disguised(history: History, name: str, cells: pl.DataFrame) -> Suspicion | None:
    """The suspicion against a column that tells nine tenths of the outcome's entropy by itself, or None."""
    told = information(cells["n"], cells["positive"]) / (len(history.label) * history.entropy)
    if told < NEARLY_ALL:
        return None
    evidence = f"{told:.1%} of the outcome's entropy over {len(history.label):,} rows"
    return Suspicion(name, "outcome in disguise", "refused", evidence)


def parts_of_outcomes(history: History, names: list[str], later: list[str]) -> Iterator[Suspicion]:
    """The columns that equal an outcome column, or of which two add up to it or differ by it.

    What is known only later cannot be computed from two columns that are both known before: at least one is not.
    """
    numbers = {name: _numbers(history.frame[name]) for name in names if is_number(history.frame[name])}
    for target in later:
        if is_number(history.frame[target]) and history.frame[target].n_unique() >= _FEWEST_VALUES:
            yield from _parts(target, _numbers(history.frame[target]), numbers)


def _parts(target: str, outcome: Floats, numbers: Mapping[str, Floats]) -> Iterator[Suspicion]:
    same = [name for name, values in numbers.items() if _agree(values, outcome)]
    for name in same:
        yield Suspicion(name, "part of an outcome", "refused", f"it equals {target}")
    rest = {name: values for name, values in numbers.items() if name not in same and _varies(values)}
    for first, left in rest.items():
        for sign, wanted in (("+", outcome - left), ("-", left - outcome)):
            for second, right in rest.items():
                if first != second and (sign == "-" or first < second) and _agree(right, wanted):
                    for name in (first, second):
                        evidence = (
                            f"{target} = {first} {sign} {second} in {_share(right, wanted):.2%} of rows"
                        )
                        yield Suspicion(name, "part of an outcome", "refused", evidence)


def _numbers(series: pl.Series) -> Floats:
    values: Floats = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return values


def _varies(values: Floats) -> bool:
    """Whether it is no column of one value, which would be the other summand's doing."""
    present = values[np.isfinite(values)]
    return len(present) > 0 and float(np.mean(present == np.median(present))) < _SAME


def _agree(values: Floats, others: Floats) -> bool:
    few = slice(0, None, max(1, len(values) // _SAMPLED))
    return _share(values[few], others[few]) >= _SAME - 0.01 and _share(values, others) >= _SAME


def _share(values: Floats, others: Floats) -> float:
    both = np.isfinite(values) & np.isfinite(others)
    if both.sum() < len(values) / 2:
        return 0.0
    return float(np.mean(np.isclose(values[both], others[both], rtol=1e-9, atol=1e-9)))


def times_of_outcome(history: History, names: list[str], known_at: pl.Series) -> Iterator[Suspicion]:
    """The moments that are the time at which the outcome was known, and the numbers that tell the wait."""
    waited = history.waited
    open_for_some_time = np.isfinite(waited) & (waited != 0)
    if open_for_some_time.sum() < _SAMPLED:
        return
    for name in names:
        series = history.frame[name]
        if series.dtype.is_temporal():
            yield from _same_moment(name, series, known_at, open_for_some_time)
        elif is_number(series) and _tells_wait(_numbers(series), history):
            verdict: Verdict = "ask" if history.horizon is None else "refused"
            evidence = "it is a linear function of the time from the decision to the outcome"
            yield Suspicion(name, "time of the outcome", verdict, evidence)


def _same_moment(name: str, series: pl.Series, known_at: pl.Series, rows: Bools) -> Iterator[Suspicion]:
    if series.dtype != known_at.dtype:
        return
    same = float((series == known_at).fill_null(False).to_numpy()[rows].mean())
    if same > 0.5:
        yield Suspicion(
            name, "time of the outcome", "refused", f"it is {known_at.name} in {same:.1%} of rows"
        )


def _tells_wait(values: Floats, history: History) -> bool:
    if not _linear(values, history.waited):
        return False
    return history.horizon is None or not _linear(values, history.horizon)


def _linear(values: Floats, others: Floats) -> bool:
    both = np.isfinite(values) & np.isfinite(others)
    if both.sum() < _SAMPLED or np.ptp(values[both]) == 0 or np.ptp(others[both]) == 0:
        return False
    # Scaled first: squares of very large numbers are none.
    scaled = [each[both] / np.abs(each[both]).max() for each in (values, others)]
    return abs(float(np.corrcoef(*scaled)[0, 1])) >= _LINEAR

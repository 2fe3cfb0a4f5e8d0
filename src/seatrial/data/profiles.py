"""Profiles as people read them: shares, quantiles and bars instead of counts by bin."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.contract.profile import from_json, mean, quantile
from seatrial.facts.profile import ColumnProfile, TableProfile
from seatrial.ports.artifacts import Artifacts

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
TOP = 8
BARS = 24
TIMES = ("timestamp", "date")
_STEPS = 400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

KeyT = TypeVar("KeyT", int, str)
Value = float | datetime
Edges = npt.NDArray[np.float64]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: the category or the stretch [`low`, `high`] it stands for, and its share in [0, 1] of all rows."""

    label: str
    low: float | None
    high: float | None
    share: float


class ColumnSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One column as people read it. `missing` and the shares of `top` are in [0, 1] of all rows.

    Times are datetimes. `distinct` is known only where the profile counts every category. Of a `hidden` column only
    rows and missing are told.
    """

    name: str
    type: str
    rows: int
    missing: float
    hidden: bool = False
    minimum: Value | None = None
    quantiles: dict[str, Value] = {}
    maximum: Value | None = None
    mean: Value | None = None
    top: tuple[tuple[str, float], ...] = ()
    others: float = 0.0
    distinct: int | None = None
    bars: tuple[float, ...] = ()


def stored_profile(artifacts: Artifacts, digest: str) -> TableProfile | None:
    """The profile of a load or snapshot; None when none was stored, or when it was erased."""
    if not digest or not artifacts.has(digest):
        return None
    return from_json(artifacts.get(digest))


def summaries(profile: TableProfile, hidden: Collection[str] = ()) -> tuple[ColumnSummary, ...]:
    """A summary of every column, in order; those in `hidden` tell no value."""
    return tuple(summarised(column, hidden=column.name in hidden) for column in profile.columns)


def missing_share(column: ColumnProfile) -> float:
    """The share of missing values in [0, 1]; 0 for a table without rows."""
    return column.missing / column.rows if column.rows else 0.0


def gained(now: ColumnProfile, before: ColumnProfile) -> ColumnProfile:
    """The counts that came after `before` of a table that only grew: counts that add up can be taken away again."""
    return msgspec.structs.replace(
        now,
        rows=max(0, now.rows - before.rows),
        missing=max(0, now.missing - before.missing),
        total=None if now.total is None else now.total - (before.total or 0.0),
        bins=_less(now.bins, before.bins),
        top=_less(now.top, before.top),
        others=max(0, now.others - before.others),
    )


def _less(now: Mapping[KeyT, int], before: Mapping[KeyT, int]) -> dict[KeyT, int]:
    left = {key: count - before.get(key, 0) for key, count in now.items()}
    return {key: count for key, count in left.items() if count > 0}


def added_profile(now: TableProfile, before: TableProfile) -> TableProfile | None:
    """The profile of the rows that came since `before`; None when none came, or some went: it cannot be told then."""
    if now.rows <= before.rows or [c.name for c in now.columns] != [c.name for c in before.columns]:
        return None
    pairs = list(zip(now.columns, before.columns, strict=True))
    if not all(_only_grew(new, old) for new, old in pairs):
        return None
    columns = tuple(gained(new, old) for new, old in pairs)
    return TableProfile(rows=now.rows - before.rows, columns=columns)


def _only_grew(now: ColumnProfile, before: ColumnProfile) -> bool:
    counts = [(now.bins.get(key, 0), count) for key, count in before.bins.items()]
    # Where values are cut off, a category may fall out of those that are counted without a row being gone.
    counts += [(now.top.get(name, 0), count) for name, count in before.top.items()] if not now.others else []
    return now.missing >= before.missing and all(new >= old for new, old in counts)


def is_counted(column: ColumnProfile) -> bool:
    """Whether the profile counts categories, not stretches of numbers."""
    return column.type not in ("float", "int", *TIMES)


def summarised(column: ColumnProfile, *, hidden: bool = False) -> ColumnSummary:
    """The summary of one column."""
    plain = ColumnSummary(
        name=column.name, type=column.type, rows=column.rows, missing=missing_share(column), hidden=hidden
    )
    if hidden or column.missing == column.rows:
        return plain
    return _categories(plain, column) if is_counted(column) else _numbers(plain, column)


def _categories(plain: ColumnSummary, column: ColumnProfile) -> ColumnSummary:
    ranked = sorted(column.top.items(), key=lambda item: -item[1])
    shown = tuple((name, count / column.rows) for name, count in ranked[:TOP])
    rest = sum(count for _, count in ranked[TOP:]) + column.others
    return msgspec.structs.replace(
        plain,
        top=shown,
        others=rest / column.rows,
        distinct=None if column.others else len(column.top),
    )


def _numbers(plain: ColumnSummary, column: ColumnProfile) -> ColumnSummary:
    found = {f"{q:g}": quantile(column, q) for q in QUANTILES}
    return msgspec.structs.replace(
        plain,
        minimum=_value(column, column.minimum),
        quantiles={q: value for q, x in found.items() if (value := _value(column, x)) is not None},
        maximum=_value(column, column.maximum),
        mean=_value(column, mean(column)),
        bars=tuple(bar.share for bar in bars([column])[0]),
    )


def _value(column: ColumnProfile, number: float | None) -> Value | None:
    if number is None or column.type not in TIMES:
        return number
    return moment(number)


def moment(seconds: float) -> datetime:
    """The moment that lies so many seconds after the beginning of 1970; years beyond 1 to 9999 are cut."""
    lowest, highest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    if seconds <= (lowest - _EPOCH).total_seconds():
        return lowest
    if seconds >= (highest - _EPOCH).total_seconds():
        return highest
    return _EPOCH + timedelta(seconds=seconds)


def bars(columns: Sequence[ColumnProfile]) -> list[tuple[Bar, ...]]:
    """The same bars for several profiles of one column, so that they can be laid over each other.

    Numbers: equal stretches between the quantiles 0.005 and 0.995 of all; what lies outside counts in the outer bars.
    Categories: the most frequent of all, then the rest.
    """
    known = [column for column in columns if column.rows > column.missing]
    if not known:
        return [() for _ in columns]
    return _category_bars(columns) if is_counted(known[0]) else _number_bars(columns, known)


def _category_bars(columns: Sequence[ColumnProfile]) -> list[tuple[Bar, ...]]:
    weight: dict[str, float] = {}
    for column in columns:
        for name, count in column.top.items():
            weight[name] = max(weight.get(name, 0.0), count / column.rows)
    names = sorted(weight, key=lambda name: -weight[name])[:TOP]
    drawn = [[_category(name, column.top.get(name, 0), column.rows) for name in names] for column in columns]
    rest = [
        column.rows - column.missing - sum(column.top.get(name, 0) for name in names) for column in columns
    ]
    if any(rest):
        for one, column, count in zip(drawn, columns, rest, strict=True):
            one.append(_category("all others", count, column.rows))
    return [tuple(one) for one in drawn]


def _category(name: str, count: int, rows: int) -> Bar:
    return Bar(label=name, low=None, high=None, share=count / rows if rows else 0.0)


def _number_bars(columns: Sequence[ColumnProfile], known: Sequence[ColumnProfile]) -> list[tuple[Bar, ...]]:
    edges = _edges(known)
    return [_stretches(column, edges) for column in columns]


def _edges(known: Sequence[ColumnProfile]) -> Edges:
    """Where bars begin and end: around each value where there are few, else equally far apart."""
    few = {
        key: value for column in known if len(column.bins) <= BARS for key, value in _counted(column).items()
    }
    if set(few) >= {key for column in known for key in column.bins} and 1 < len(few) <= BARS:
        values = np.array(sorted(few.values()))
        between = (values[1:] + values[:-1]) / 2
        first, last = values[0] - (between[0] - values[0]), values[-1] + (values[-1] - between[-1])
        return np.concatenate([[first], between, [last]])
    low = min(_at(column, 0.005) for column in known)
    high = max(_at(column, 0.995) for column in known)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BARS + 1)


def _counted(column: ColumnProfile) -> dict[int, float]:
    """The value that each bin stands for."""
    present, below, found = sum(column.bins.values()), 0, {}
    for key, count in sorted(column.bins.items()):
        found[key] = _at(column, min(1.0, (below + 0.5) / max(1, present - 1)))
        below += count
    return found


def _at(column: ColumnProfile, q: float) -> float:
    found = quantile(column, q)
    return column.minimum or 0.0 if found is None else found


def _stretches(
    column: ColumnProfile, edges: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> tuple[Bar, ...]:
    """The share of rows in each stretch, read off the profile's quantiles."""
    values, weights = _sampled(column)
    inner = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    shares = np.bincount(inner, weights, minlength=len(edges) - 1) * (1 - missing_share(column))
    return tuple(
        Bar(label=f"{low:.4g} to {high:.4g}", low=float(low), high=float(high), share=float(share))
        for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
    )


def _sampled(column: ColumnProfile) -> tuple[Edges, Edges]:
    """Values and their weights, which add up to 1: every bin while there are few, else equally spaced quantiles."""
    if len(column.bins) <= _STEPS:
        counts = np.array([count for _, count in sorted(column.bins.items())], dtype=np.float64)
        return np.array(list(_counted(column).values())), counts / max(1.0, counts.sum())
    values = [_at(column, (i + 0.5) / _STEPS) for i in range(_STEPS)]
    return np.array(values), np.full(_STEPS, 1 / _STEPS)

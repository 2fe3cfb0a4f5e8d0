"""Profiles of tables: counts per column that can be added up, so that parts need not be read again.

Numbers are counted in logarithmic bins (DDSketch: Masson, Rim, Lee, VLDB 2019): a quantile read off them is within
0.5 % of the value of that rank. Times are counted by day. Texts and truth values are counted by value, exactly up
to 1000 different ones; of more, the most frequent stay and the rest is one number.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.errors import DataRefused
from seatrial.facts.profile import ColumnProfile, TableProfile

ERROR = 0.005
MOST_VALUES = 1000
DAY_SECONDS = 86_400
_GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA = math.log(_GAMMA)
# Above the bin of the smallest and below that of the largest double: keys of positive numbers are positive.
_OFFSET = 80_000
_BATCH_ROWS = 1_000_000
_TIMES = ("timestamp", "date")


def profile_table(rows: pl.DataFrame | pl.LazyFrame, table: TableContract) -> TableProfile:
    """The profile of rows in the contract's types; columns of the table that the rows lack are left out.

    Lazy rows are read in batches. Columns that identify rows are counted, their values are not kept.
    """
    if isinstance(rows, pl.LazyFrame):
        names = [column.name for column in table.columns if column.name in rows.collect_schema()]
        profile = profile_table(
            pl.DataFrame(schema={name: rows.collect_schema()[name] for name in names}), table
        )
        for batch in rows.select(names).collect_batches(chunk_size=_BATCH_ROWS):
            profile = merge(profile, profile_table(batch, table))
        return profile
    columns = [column for column in table.columns if column.name in rows.columns]
    hidden = _identifying(table)
    found = [_column(column, rows[column.name], hidden=column.name in hidden) for column in columns]
    return TableProfile(rows=rows.height, columns=tuple(found))


def _identifying(table: TableContract) -> set[str]:
    """Columns whose values name one row each: how often each occurs tells nothing, and may name a person."""
    alone = [group[0] for group in (table.primary_key, *table.unique) if len(group) == 1]
    return {column.name for column in table.columns if column.role == "key" or column.unique} | set(alone)


def _column(column: ColumnContract, values: pl.Series, *, hidden: bool) -> ColumnProfile:
    if column.type in ("float", "int"):
        counted = _numbers(values.cast(pl.Float64).fill_nan(None).drop_nulls().to_numpy(), _number_bins)
    elif column.type in _TIMES:
        moments = values.drop_nulls().cast(pl.Datetime("us")).dt.epoch("us").to_numpy() / 1e6
        counted = _numbers(moments, _day_bins)
    else:
        counted = _values(values.drop_nulls(), hidden=hidden)
    present = counted.pop("present")
    return ColumnProfile(
        name=column.name, type=column.type, rows=len(values), missing=len(values) - present, **counted
    )


def _numbers(values: npt.NDArray[np.float64], bins_of: Any) -> dict[str, Any]:
    values = values[np.isfinite(values)]
    if not len(values):
        return {"present": 0}
    return {
        "present": len(values),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "total": float(values.sum()),
        "bins": bins_of(values),
    }


def _number_bins(values: npt.NDArray[np.float64]) -> dict[int, int]:
    size = np.where(values == 0, 1.0, np.abs(values))
    place = np.ceil(np.log(size) / _LOG_GAMMA) + _OFFSET
    return _counted((np.sign(values) * place).astype(np.int64))


def _day_bins(values: npt.NDArray[np.float64]) -> dict[int, int]:
    return _counted(np.floor(values / DAY_SECONDS).astype(np.int64))


def _counted(keys: npt.NDArray[np.int64]) -> dict[int, int]:
    first = int(keys.min())
    counts = np.bincount(keys - first)
    places = np.flatnonzero(counts)
    return dict(zip((places + first).tolist(), counts[places].tolist(), strict=True))


def _values(present: pl.Series, *, hidden: bool) -> dict[str, Any]:
    if hidden:
        return {"present": len(present), "others": len(present)}
    names = present.cast(pl.String).alias("value")
    counts = dict(names.value_counts(name="count").rows())
    top, others = _trimmed(counts)
    return {"present": len(present), "top": top, "others": others}


def _trimmed(counts: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """The most frequent values, by name among equals, and the count of the rest."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return dict(ordered[:MOST_VALUES]), sum(count for _, count in ordered[MOST_VALUES:])


def merge(first: TableProfile, second: TableProfile) -> TableProfile:
    """The profile of the rows of both. Counts and bins are exact; of more than 1000 values, counts are at least.

    Columns come in the order of the first. Raises DataRefused when the columns or their types differ.
    """
    mine, theirs = ({one.name: one.type for one in part.columns} for part in (first, second))
    if mine != theirs:
        apart = sorted({name for name, _ in mine.items() ^ theirs.items()})
        raise DataRefused(
            f"profiles can be added up of the same columns only; these are in one of both, or of another type: "
            f"{', '.join(apart)}. Count the rows of both anew"
        )
    other = {one.name: one for one in second.columns}
    columns = tuple(_merged(one, other[one.name]) for one in first.columns)
    return TableProfile(rows=first.rows + second.rows, columns=columns)


def _merged(first: ColumnProfile, second: ColumnProfile) -> ColumnProfile:
    top, rest = _trimmed(Counter(first.top) + Counter(second.top))
    bins = Counter(first.bins) + Counter(second.bins)
    totals = [one.total for one in (first, second) if one.total is not None]
    return ColumnProfile(
        name=first.name,
        type=first.type,
        rows=first.rows + second.rows,
        missing=first.missing + second.missing,
        minimum=min((x for x in (first.minimum, second.minimum) if x is not None), default=None),
        maximum=max((x for x in (first.maximum, second.maximum) if x is not None), default=None),
        total=math.fsum(totals) if totals else None,
        bins=dict(sorted(bins.items())),
        top=top,
        others=first.others + second.others + rest,
    )


def quantile(column: ColumnProfile, share: float) -> float | None:
    """The value below which `share` (in [0, 1]) of the numbers lies; None where there are none.

    Within 0.5 % of the number of rank floor(share * (n - 1)); times, in seconds since 1970, within half a day.
    """
    counts = sorted(column.bins.items())
    present = sum(count for _, count in counts)
    if not present or column.minimum is None or column.maximum is None:
        return None
    rank = math.floor(share * (present - 1))
    below = accumulate(count for _, count in counts)
    key = next(key for (key, _), total in zip(counts, below, strict=True) if total > rank)
    return min(max(_middle(column, key), column.minimum), column.maximum)


def _middle(column: ColumnProfile, key: int) -> float:
    if column.type in _TIMES:
        return (key + 0.5) * DAY_SECONDS
    if key == 0:
        return 0.0
    # 2 g^i / (g + 1), in logarithms: the power alone would overflow in the last bins.
    exponent = (abs(key) - _OFFSET) * _LOG_GAMMA + math.log(2 / (_GAMMA + 1))
    return math.copysign(math.exp(min(exponent, math.log(1.7976931348623157e308))), key)


def mean(column: ColumnProfile) -> float | None:
    """The mean of the numbers; None where there are none."""
    present = column.rows - column.missing
    return None if column.total is None or not present else column.total / present


def distance(first: ColumnProfile, second: ColumnProfile) -> float:
    """How far two columns' distributions lie apart, in [0, 1]; 0 where one has no rows.

    The larger of the difference between their shares of missing values and, among the others, of numbers and
    times the Kolmogorov-Smirnov distance (between the bins), of texts and truth values the total variation
    distance. Differences within a bin, and among values that were not kept, are not seen.
    """
    if not first.rows or not second.rows:
        return 0.0
    missing = abs(first.missing / first.rows - second.missing / second.rows)
    return min(1.0, max(missing, _present_distance(first, second)))


def _present_distance(first: ColumnProfile, second: ColumnProfile) -> float:
    mine, theirs = (one.rows - one.missing for one in (first, second))
    if not mine or not theirs:
        return 0.0
    if first.bins or second.bins:
        gaps = accumulate(a / mine - b / theirs for a, b in _beside(first.bins, second.bins))
        return max(map(abs, gaps))
    a, b = _comparable(first, second), _comparable(second, first)
    rest = abs((mine - sum(a.values())) / mine - (theirs - sum(b.values())) / theirs)
    return (sum(abs(x / mine - y / theirs) for x, y in _beside(a, b)) + rest) / 2


def _beside(first: Mapping[Any, int], second: Mapping[Any, int]) -> Iterator[tuple[int, int]]:
    for key in sorted(first.keys() | second.keys()):
        yield first.get(key, 0), second.get(key, 0)


def _comparable(one: ColumnProfile, other: ColumnProfile) -> dict[str, int]:
    """The counted values, less those that the other may hide among its rest."""
    return dict(one.top) if not other.others else {k: v for k, v in one.top.items() if k in other.top}


def noise(first: ColumnProfile, second: ColumnProfile) -> float:
    """The distance that samples of one distribution, of these sizes, exceed once in 1000 times at most.

    Of numbers by the inequality of Dvoretzky, Kiefer and Wolfowitz for two samples (Wei, Dudley, Statistics and
    Probability Letters 2012); of values their expected total variation distance, plus McDiarmid's bound on how far
    it strays from that.
    """
    mine, theirs = (one.rows - one.missing for one in (first, second))
    if not mine or not theirs:
        return 1.0
    scale = 1 / mine + 1 / theirs
    stray = math.sqrt(math.log(1000) * scale / 2)
    if first.bins or second.bins:
        return min(1.0, math.sqrt(math.log(2000) * scale / 2))
    pooled = [(a + b) / (mine + theirs) for a, b in _beside(first.top, second.top)]
    expected = sum(math.sqrt(p * (1 - p) * scale / (2 * math.pi)) for p in pooled if p <= 1)
    return min(1.0, expected + stray)


def to_json(profile: TableProfile) -> bytes:
    """The profile as JSON; equal profiles give equal bytes."""
    return msgspec.json.encode(profile)


def from_json(body: bytes) -> TableProfile:
    """The profile that `to_json` wrote. Raises msgspec.DecodeError for anything else."""
    return msgspec.json.decode(body, type=TableProfile)

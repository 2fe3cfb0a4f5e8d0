"""Lookups: one declaration, joined as known in training and looked up by key in serving.

Two times of a row count: the event time, which it tells of, and the known time, from which it could be used. A
decision at t takes, among the rows of its key known by t, the one with the latest event time; of those the one
known last; of those the one delivered last. Nothing is known before it happened: a row that announces something
later (a price from tomorrow on, a forecast for noon) stands from the moment that it tells of.

`prepare` reduces this to a table in which a search by known time alone finds that row. Training, which joins it,
and serving, which searches it by key, thus cannot disagree; property tests hold them together, and to a search
row by row.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import polars as pl

from seatrial.product.schema import Lookup

KNOWN = "__known_at"
TOLD = "__as_of"
# In a table given to `prepare`: before this moment the row was not known here, whatever it says itself.
KNOWN_FROM = "__known_from"
_RANK = ("__reported", "__row")
_MICROS = pl.Datetime("us", "UTC")
# Rows of a lookup without time have always been known.
_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)


def prepare(table: pl.DataFrame, lookup: Lookup, names: Mapping[str, str]) -> pl.DataFrame:
    """The lookup's table, sorted: key columns, KNOWN and TOLD if rows have a time, and the renamed columns.

    A row stands from KNOWN, in UTC, until the next one of its key; TOLD, its event time, never falls within a key.
    `names` maps source columns to the names they get in an example. Rows whose key or time is missing are left
    out; of rows without time, the last one of a key stands. A column KNOWN_FROM in `table` holds, where it is
    not null, the earliest moment from which that row may be used: what replaced an earlier row is not known before.
    """
    keys = list(lookup.on)
    columns = [pl.col(column).alias(names[column]) for column in lookup.columns]
    picked = table.select(*keys, *_times(table, lookup), *columns)
    usable = picked.drop_nulls([*keys, *(name for name in (KNOWN, TOLD) if name in picked.columns)])
    numbers = [pl.col(key).is_not_nan() for key in keys if usable.schema[key].is_float()]
    usable = usable.filter(pl.all_horizontal(pl.lit(True), *numbers))
    if KNOWN not in usable.columns:
        return usable.unique(keys, keep="last", maintain_order=True).sort(keys)
    return _standing(usable, keys)


def _standing(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The rows that stand at some moment: none that tells of an earlier time than one known before it."""
    told = [TOLD] if TOLD in rows.columns else []
    ranked = rows.with_row_index("__row").sort(*keys, KNOWN, *told, *_RANK)
    if told:
        ranked = ranked.filter(pl.col(TOLD) >= pl.col(TOLD).cum_max().over(keys))
    # Sorted by rank, the last of those known at one moment is the one that stands from then on.
    replaced = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in (*keys, KNOWN))
    return ranked.filter(~replaced.fill_null(False)).drop(_RANK)


def _times(table: pl.DataFrame, lookup: Lookup) -> list[pl.Expr]:
    """KNOWN, `__reported` (the known time as it was given, which ranks rows announced ahead) and TOLD."""
    floored = KNOWN_FROM in table.columns and table[KNOWN_FROM].null_count() < table.height
    floor = [pl.col(KNOWN_FROM).cast(_MICROS)] if floored else []
    if lookup.as_of is None:
        since = [expression.fill_null(_ALWAYS) for expression in floor]
        return [expression.alias(name) for expression in since for name in (KNOWN, "__reported")]
    told = pl.col(lookup.as_of).cast(_MICROS)
    given = _given(lookup, told)
    reported = pl.when(given.is_not_null()).then(pl.max_horizontal(given, *floor))
    known = pl.when(reported.is_not_null()).then(pl.max_horizontal(reported, told))
    return [known.alias(KNOWN), reported.alias("__reported"), told.alias(TOLD)]


def _given(lookup: Lookup, told: pl.Expr) -> pl.Expr:
    if lookup.known_at is not None:
        return pl.col(lookup.known_at).cast(_MICROS)
    return told + pl.duration(microseconds=round(lookup.available_after * 1_000_000))


def join(frame: pl.DataFrame, prepared: pl.DataFrame, lookup: Lookup, made_at: str) -> pl.DataFrame:
    """The rows in their order, with the lookup's columns as known at `made_at`; nulls where nothing was known."""
    return join_all(frame, [(prepared, lookup)], made_at)


def join_all(
    frame: pl.DataFrame, lookups: Iterable[tuple[pl.DataFrame, Lookup]], made_at: str
) -> pl.DataFrame:
    """The rows in their order, with the columns of every prepared lookup as known at `made_at`, in turn.

    Every row comes back exactly once; nulls where nothing was known.
    """
    joined = frame.with_row_index("__order").sort(made_at, maintain_order=True)
    for prepared, lookup in lookups:
        joined = _joined(joined, prepared, list(lookup.on), made_at)
    return joined.sort("__order").drop("__order")


def _joined(ordered: pl.DataFrame, prepared: pl.DataFrame, keys: list[str], made_at: str) -> pl.DataFrame:
    if KNOWN not in prepared.columns:
        return ordered.join(prepared, on=keys, how="left", maintain_order="left")
    return ordered.join_asof(
        prepared.drop(TOLD, strict=False).sort(KNOWN),
        left_on=made_at,
        right_on=KNOWN,
        by=keys,
        strategy="backward",
        check_sortedness=False,
    ).drop(KNOWN, strict=False)


class LookupIndex:
    """A prepared table in memory, searchable by key and moment in O(log n)."""

    def __init__(self, prepared: pl.DataFrame, lookup: Lookup) -> None:
        self.lookup = lookup
        self._columns = prepared.drop(*lookup.on, KNOWN, TOLD, strict=False)
        timed = KNOWN in prepared.columns
        self._times: list[int] | None = prepared[KNOWN].to_physical().to_list() if timed else None
        self._spans = _spans(prepared.select(pl.col(lookup.on).to_physical()))

    @cached_property
    def _plain(self) -> dict[str, list[Any]]:
        return {column.name: column.to_physical().to_list() for column in self._columns}

    @property
    def schema(self) -> pl.Schema:
        """The columns that are looked up, with their types."""
        return self._columns.schema

    def find(self, frame: pl.DataFrame, made_at: str) -> pl.DataFrame:
        """The lookup's columns for each row of `frame`, in order; nulls where nothing was known at `made_at`."""
        keys = {column: frame[column].to_physical().to_list() for column in self.lookup.on}
        rows = self._places(keys, frame[made_at].to_physical().to_list() if self._times is not None else ())
        index = pl.Series(rows, dtype=pl.UInt32)
        return self._columns.select(pl.all().gather(pl.lit(index)))

    def pick(self, keys: Mapping[str, Sequence[Any]], moments: Sequence[int | None]) -> dict[str, list[Any]]:
        """The same without a table: keys, moments and what is found are physical values (times in microseconds)."""
        rows = self._places(keys, moments)
        return {
            name: [None if row is None else column[row] for row in rows]
            for name, column in self._plain.items()
        }

    def _places(self, keys: Mapping[str, Sequence[Any]], moments: Sequence[int | None]) -> list[int | None]:
        """The row of the table that stands for each key at its moment."""
        found = zip(*(keys[column] for column in self.lookup.on), strict=True)
        if self._times is None:
            return [self._spans.get(key, (None, 0))[0] for key in found]
        return [self._latest(self._times, key, at) for key, at in zip(found, moments, strict=True)]

    def _latest(self, times: list[int], key: tuple[Any, ...], moment: int | None) -> int | None:
        span = self._spans.get(key)
        if span is None or moment is None:
            return None
        found = bisect_right(times, moment, span[0], span[1]) - 1
        return found if found >= span[0] else None


def _spans(keys: pl.DataFrame) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Key to its half-open range of rows; equal keys lie together because the table is sorted."""
    counted = keys.with_row_index("__row").group_by(keys.columns, maintain_order=True)
    spans = counted.agg(pl.col("__row").first().alias("__start"), pl.len().alias("__rows"))
    return {tuple(row[:-2]): (row[-2], row[-2] + row[-1]) for row in spans.iter_rows()}

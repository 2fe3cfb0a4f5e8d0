"""Lookups: one declaration, joined as known in training and looked up by key in serving.

Both worlds read the same prepared table, in which each key has at most one row per moment, so they cannot
disagree about ties; a property test holds them together.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import polars as pl

from seatrial.product.schema import Lookup

KNOWN = "__known_at"


def prepare(table: pl.DataFrame, lookup: Lookup, names: Mapping[str, str]) -> pl.DataFrame:
    """The lookup's table: key columns, when each row is known (if it has a time), and the renamed columns.

    `names` maps source columns to the names they get in an example. Rows without a key or time are dropped;
    of several rows of one key known at one moment the last one stands.
    """
    keys = list(lookup.on)
    columns = [pl.col(column).alias(names[column]) for column in lookup.columns]
    known = [_known_at(lookup)] if lookup.as_of else []
    subset = [*keys, *([KNOWN] if lookup.as_of else [])]
    picked = table.select(*keys, *known, *columns).drop_nulls(subset)
    unique = picked.unique(subset=subset, keep="last", maintain_order=True)
    return unique.sort(subset, maintain_order=True)


def _known_at(lookup: Lookup) -> pl.Expr:
    delay = pl.duration(microseconds=round(lookup.available_after * 1_000_000))
    return (pl.col(str(lookup.as_of)).cast(pl.Datetime("us", "UTC")) + delay).alias(KNOWN)


def join(frame: pl.DataFrame, prepared: pl.DataFrame, lookup: Lookup, made_at: str) -> pl.DataFrame:
    """The rows in their order, with the lookup's columns as known at `made_at`; nulls where nothing was known."""
    keys = list(lookup.on)
    if lookup.as_of is None:
        return frame.join(prepared, on=keys, how="left", maintain_order="left")
    ordered = frame.with_row_index("__row").sort(made_at)
    joined = ordered.join_asof(
        prepared.sort(KNOWN),
        left_on=made_at,
        right_on=KNOWN,
        by=keys,
        strategy="backward",
        check_sortedness=False,
    )
    return joined.sort("__row").drop("__row", KNOWN, strict=False)


class LookupIndex:
    """A prepared table, searchable by key and moment in O(log n), for the request path."""

    def __init__(self, prepared: pl.DataFrame, lookup: Lookup) -> None:
        self.lookup = lookup
        self._columns = prepared.drop(*lookup.on, KNOWN, strict=False)
        self._times: list[int] = prepared[KNOWN].to_physical().to_list() if lookup.as_of else []
        self._spans = _spans(prepared.select(lookup.on))

    def find(self, frame: pl.DataFrame, made_at: str) -> pl.DataFrame:
        """The lookup's columns for each row of `frame`, in order; nulls where nothing was known at `made_at`."""
        keys = zip(*(frame[column].to_list() for column in self.lookup.on), strict=True)
        if self.lookup.as_of is None:
            rows = [self._spans.get(key, (None, 0))[0] for key in keys]
        else:
            moments = frame[made_at].to_physical().to_list()
            rows = [self._latest(key, moment) for key, moment in zip(keys, moments, strict=True)]
        index = pl.Series(rows, dtype=pl.UInt32)
        return self._columns.select(pl.all().gather(pl.lit(index)))

    def _latest(self, key: tuple[Any, ...], moment: int) -> int | None:
        span = self._spans.get(key)
        if span is None:
            return None
        found = bisect_right(self._times, moment, span[0], span[1]) - 1
        return found if found >= span[0] else None


def _spans(keys: pl.DataFrame) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Key to its half-open range of rows; equal keys lie together because the table is sorted."""
    counted = keys.with_row_index("__row").group_by(keys.columns, maintain_order=True)
    spans = counted.agg(pl.col("__row").first().alias("__start"), pl.len().alias("__rows"))
    return {tuple(row[:-2]): (row[-2], row[-2] + row[-1]) for row in spans.iter_rows()}

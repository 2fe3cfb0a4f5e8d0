"""Why a feature that was served differs from the same one recomputed, from what is on record."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from seatrial.contract.types import TIMESTAMP
from seatrial.product.lookups import KNOWN, TOLD
from seatrial.product.product import Product

CORRECTED = "corrected later"
STALE = "lookup was stale when served"
REQUEST = "request differs from the source"
OTHER_FILE = "computed by another product file"
ABSENT = "not in the sources"
UNEXPLAINED = "unexplained"
CAUSES = (CORRECTED, STALE, REQUEST, OTHER_FILE, ABSENT, UNEXPLAINED)
# When the rows with an identity came in, as `came_in` makes it.
FIRST, LAST, VERSIONS = "__first", "__last", "__versions"
# Sums and logarithms of a batch and of one row may differ in their last bits.
TOLERANCE = 1e-9


def came_in(rows: pl.DataFrame, identity: list[str], loaded_at: str) -> pl.DataFrame:
    """When rows with the same identity first and last came in, and with how many loads; `loaded_at` is a column."""
    return rows.group_by(identity).agg(
        pl.col(loaded_at).min().alias(FIRST),
        pl.col(loaded_at).max().alias(LAST),
        pl.col(loaded_at).n_unique().alias(VERSIONS),
    )


class Causes:
    """Finds out, feature by feature, which rows differ and why; what is derived differs for what it reads."""

    def __init__(
        self,
        product: Product,
        lookups: Mapping[str, pl.DataFrame],
        arrivals: Mapping[str, pl.DataFrame],
        requests: pl.DataFrame | None,
        other_files: frozenset[str],
    ) -> None:
        self.product, self.lookups, self.arrivals = product, lookups, arrivals
        self.requests, self.other_files = requests, other_files
        self.names: list[str] = []

    def judge(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with `differs_…` and `cause_…` per feature that was logged."""
        kinds = self.product.columns
        self.names = [
            name for name, kind in kinds.items() if kind != "timestamp" and f"feature_{name}" in rows.columns
        ]
        rows = rows.with_columns(_differs(name, kinds[name]).alias(f"differs_{name}") for name in self.names)
        rows = rows.with_columns(pl.col("release").is_in(list(self.other_files)).alias("__other"))
        rows = self._with_request(rows)
        for name in self.product.lookup_names:
            rows = self._with_lookup(rows, name)
        for name in self.product.derive:
            if name in self.names:
                rows = rows.with_columns(self._of_derived(name).alias(f"cause_{name}"))
        return rows

    def _with_request(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with the causes of request columns, and in `__request` what any difference of the request comes from."""
        if self.requests is None:
            rows = rows.with_columns(pl.lit(REQUEST).alias("__request"))
        else:
            key = pl.col(self.product.key).cast(pl.String).alias("key")
            rows = rows.join(
                self.requests.select(key, FIRST, LAST, VERSIONS), on="key", how="left", maintain_order="left"
            )
            cause = pl.when(_corrected()).then(pl.lit(CORRECTED)).otherwise(pl.lit(REQUEST))
            rows = rows.with_columns(cause.alias("__request")).drop(FIRST, LAST, VERSIONS)
        own = [name for name in self.product.request_columns if name in self.names]
        return rows.with_columns(_cause(name, pl.col("__request")).alias(f"cause_{name}") for name in own)

    def _with_lookup(self, rows: pl.DataFrame, name: str) -> pl.DataFrame:
        """Rows with the causes of a lookup's columns."""
        columns = [one for one in self.product.lookup_names[name].values() if one in self.names]
        lookup = self.product.lookup(name)
        asked_else = _any(f"differs_{key}" for key in lookup.on if key in self.names)
        rows = self._with_arrival(rows, name)
        rows = self._with_told_before(rows, name, columns)
        nothing = pl.all_horizontal(pl.lit(True), *(pl.col(f"feature_{one}").is_null() for one in columns))
        gone = pl.all_horizontal(pl.lit(True), *(pl.col(f"again_{one}").is_null() for one in columns))
        late = (pl.col(FIRST) > pl.col("received_at")).fill_null(False)
        cause = (
            pl.when(asked_else)
            .then(pl.col("__request"))
            .when(_corrected() & ~late)
            .then(pl.lit(CORRECTED))
            .when(pl.col("__told_before") | (nothing & ~gone))
            .then(pl.lit(STALE))
            .when(gone)
            .then(pl.lit(ABSENT))
            .otherwise(pl.lit(UNEXPLAINED))
        )
        rows = rows.with_columns(_cause(one, cause).alias(f"cause_{one}") for one in columns)
        return rows.drop(FIRST, LAST, VERSIONS, "__told_before")

    def _with_arrival(self, rows: pl.DataFrame, name: str) -> pl.DataFrame:
        """Rows with the time at which the row that stands at the decision came in, as FIRST, LAST and VERSIONS."""
        lookup, prepared = self.product.lookup(name), self.lookups[name]
        keys, arrived = list(lookup.on), self.arrivals.get(name)
        unknown = [pl.lit(None, TIMESTAMP).alias(one) for one in (FIRST, LAST)]
        if arrived is None or (TOLD in prepared.columns) != (TOLD in arrived.columns):
            return rows.with_columns(*unknown, pl.lit(None, pl.Int64).alias(VERSIONS))
        asked = [f"again_{key}" for key in keys]
        if TOLD not in prepared.columns:
            named = arrived.rename(dict(zip(keys, asked, strict=True)))
            return rows.join(named, on=asked, how="left", maintain_order="left")
        times = prepared.select(*(pl.col(key).alias(f"again_{key}") for key in keys), KNOWN, TOLD)
        ordered = rows.with_row_index("__order").sort("made_at")
        standing = ordered.join_asof(
            times.sort(KNOWN), left_on="made_at", right_on=KNOWN, by=asked, check_sortedness=False
        )
        named = arrived.rename(dict(zip(keys, asked, strict=True)))
        dated = standing.join(named, on=[*asked, TOLD], how="left", maintain_order="left")
        return dated.sort("__order").drop("__order", KNOWN, TOLD, strict=False)

    def _with_told_before(self, rows: pl.DataFrame, name: str, columns: list[str]) -> pl.DataFrame:
        """Rows with `__told_before`: what was served is what the lookup had told at some time by the decision."""
        lookup, prepared = self.product.lookup(name), self.lookups[name]
        if KNOWN not in prepared.columns or not columns:
            return rows.with_columns(pl.lit(False).alias("__told_before"))
        on = [*(f"again_{key}" for key in lookup.on), *(f"feature_{one}" for one in columns)]
        told = prepared.group_by(*lookup.on, *columns).agg(pl.col(KNOWN).min().alias("__since"))
        told = told.rename(dict(zip([*lookup.on, *columns], on, strict=True)))
        joined = rows.join(told, on=on, how="left", maintain_order="left", nulls_equal=True)
        before = (pl.col("__since") <= pl.col("made_at")).fill_null(False)
        return joined.with_columns(before.alias("__told_before")).drop("__since")

    def _of_derived(self, name: str) -> pl.Expr:
        """The cause of what a derived column reads; moments of a request are not logged, so they come last."""
        reads = self.product.derive[name].reads
        known = [pl.col(f"cause_{one}") for one in self.product.columns if one in reads and one in self.names]
        moments = any(one in reads and one not in self.names for one in self.product.request_columns)
        left = pl.col("__request") if moments else pl.lit(UNEXPLAINED)
        return _cause(name, pl.coalesce(*known, left))


def _differs(name: str, kind: str) -> pl.Expr:
    served, again = pl.col(f"feature_{name}"), pl.col(f"again_{name}")
    if kind != "float":
        return served.ne_missing(again)
    size = pl.max_horizontal(served.abs(), again.abs())
    close = ((served - again).abs() <= TOLERANCE * size).fill_null(False)
    return served.ne_missing(again) & ~close


def _cause(name: str, cause: pl.Expr) -> pl.Expr:
    """The cause where the feature differs, else null."""
    told = pl.when("__other").then(pl.lit(OTHER_FILE)).otherwise(cause)
    return pl.when(f"differs_{name}").then(told)


def _corrected() -> pl.Expr:
    """Whether the row came in again, after the answer and otherwise than before."""
    return ((pl.col(VERSIONS) > 1) & (pl.col(LAST) > pl.col("received_at"))).fill_null(False)


def _any(columns: Any) -> pl.Expr:
    return pl.any_horizontal(pl.lit(False), *(pl.col(column) for column in columns))

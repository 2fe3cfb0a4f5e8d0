"""Outcome reports joined to predictions: by prediction id, or by key where a report names no id."""

from datetime import datetime

import msgspec
import polars as pl

from seatrial.contract.types import polars_schema, polars_type
from seatrial.facts.tables import OUTCOMES
from seatrial.product.product import Product
from seatrial.product.stored import outcome_types


class OutcomeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How reports fared: `matched` predictions have an outcome, `unknown` reports name no prediction given.

    Of further reports on a matched prediction, `corrected` brought new values and `duplicates` none.
    """

    matched: int
    duplicates: int
    corrected: int
    unknown: int


def match_outcomes(product: Product, predictions: pl.DataFrame, outcomes: pl.DataFrame) -> OutcomeCounts:
    """The counts of all reports in `outcomes` against all of `predictions`; order and batches do not matter."""
    if predictions.is_empty():
        return OutcomeCounts(matched=0, duplicates=0, corrected=0, unknown=outcomes.height)
    return _counts(_reports(product, outcomes), predictions)


def latest_outcomes(
    product: Product, predictions: pl.DataFrame, outcomes: pl.DataFrame, *, received_by: datetime
) -> tuple[pl.DataFrame, OutcomeCounts]:
    """One row per prediction id with an outcome: `prediction_id` and a column `outcome_<name>` per outcome column.

    The highest revision received by `received_by` stands, the one received last among equals.
    """
    reports = _reports(product, outcomes).filter(pl.col("received_at") <= received_by)
    names = [f"outcome_{name}" for name in outcome_types(product)]
    # Values come last in the order only so that the result never depends on the order of rows.
    order = ["prediction_id", "revision", "received_at", "known_at", *names]
    joined = _joined(reports, predictions).sort(order, nulls_last=False)
    latest = joined.unique("prediction_id", keep="last", maintain_order=True)
    return latest.select("prediction_id", *names), _counts(reports, predictions)


def _reports(product: Product, outcomes: pl.DataFrame) -> pl.DataFrame:
    """The reports in contract types; outcome columns that were never stored are null."""
    types = {f"outcome_{name}": polars_type(kind) for name, kind in outcome_types(product).items()}
    schema = {**polars_schema(OUTCOMES), **types}
    if not outcomes.width:
        return pl.DataFrame(schema=schema)
    stored = outcomes.with_columns(pl.lit(None).alias(name) for name in types if name not in outcomes.columns)
    return stored.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _joined(reports: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """One row per prediction id and report on it."""
    ids = predictions.select("prediction_id", "key").unique()
    named = reports.filter(pl.col("prediction_id").is_not_null())
    keyed = reports.filter(pl.col("prediction_id").is_null()).drop("prediction_id")
    by_id = named.join(ids.select("prediction_id").unique(), on="prediction_id", how="semi")
    by_key = keyed.join(ids, on="key", how="inner").select(reports.columns)
    return pl.concat([by_id, by_key])


def _counts(reports: pl.DataFrame, predictions: pl.DataFrame) -> OutcomeCounts:
    joined = _joined(reports, predictions)
    values = pl.struct(r"^outcome_.*$")
    per = joined.group_by("prediction_id").agg(pl.len().alias("reports"), values.n_unique().alias("distinct"))
    reported, distinct = int(per["reports"].sum()), int(per["distinct"].sum())
    return OutcomeCounts(
        matched=per.height,
        duplicates=reported - distinct,
        corrected=distinct - per.height,
        unknown=_unknown(reports, predictions),
    )


def _unknown(reports: pl.DataFrame, predictions: pl.DataFrame) -> int:
    named = reports.filter(pl.col("prediction_id").is_not_null())
    keyed = reports.filter(pl.col("prediction_id").is_null())
    return (
        named.join(predictions, on="prediction_id", how="anti").height
        + keyed.join(predictions, on="key", how="anti").height
    )

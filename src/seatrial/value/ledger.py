"""The ledger: one row for each matured prediction, with what its decision was worth.

Append-only. A row that is booked without an outcome, or whose outcome is corrected later, is followed by a row of
the same prediction and release with a later `settled_at`; `current` keeps the last word on each. The first row with a
value after one without is `awaited`: whoever waits for outcomes has still to see it.
"""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import polars as pl

from seatrial.contract.types import TIMESTAMP, polars_schema
from seatrial.facts.tables import LEDGER
from seatrial.product.product import Product
from seatrial.product.stored import outcome_types, stored_columns, value_columns
from seatrial.value.outcomes import latest_outcomes

_IDENTITY = ["prediction_id", "release"]
# What tells the prediction that was booked from a repetition of it.
_BOOKED = [*_IDENTITY, "assigned", "made_at"]
_VALUES = ["value", "baseline_value", "act_value", "rest_value"]


class SettleCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What was booked: `rows`, of them `without_outcome` and `capped`.

    `repeated` predictions came twice and were booked once; `duplicates` and `corrected` are outcome reports beyond
    the first on one prediction: without and with new values.
    """

    rows: int
    without_outcome: int
    capped: int
    repeated: int
    duplicates: int
    corrected: int


@dataclass(frozen=True)
class Settled:
    """New ledger rows, with the columns of `facts.tables.LEDGER`, and what happened while booking them."""

    rows: pl.DataFrame
    counts: SettleCounts


def settle(
    product: Product, predictions: pl.DataFrame, outcomes: pl.DataFrame, *, settled_at: datetime
) -> Settled:
    """A ledger row for each given prediction, all of them matured; outcomes as received by `settled_at`.

    A shadow's prediction gets its own row. Where no outcome is known, label, values and loss are null. Values are in
    the objective's unit, capped to its range.

    Raises:
        DataRefused: when the predictions lack a column that the value reads.
        ProductFileInvalid: when the product has no objective.
    """
    if predictions.is_empty():
        return Settled(pl.DataFrame(schema=polars_schema(LEDGER)), _counted(0, pl.DataFrame(), 0, 0))
    once = predictions.unique(_IDENTITY, keep="first", maintain_order=True)
    known, reports = latest_outcomes(product, once, outcomes, received_by=settled_at)
    joined = once.join(known, on="prediction_id", how="left", maintain_order="left")
    rows = _booked(product, joined, settled_at)
    repeated = predictions.height - once.height
    return Settled(rows, _counted(repeated, rows, reports.duplicates, reports.corrected))


def resettle(
    product: Product,
    predictions: pl.DataFrame,
    outcomes: pl.DataFrame,
    ledger: pl.DataFrame,
    *,
    settled_at: datetime,
) -> Settled:
    """New rows for booked predictions whose outcome came late or was corrected; empty when nothing changed.

    `awaited` marks the first known value of a prediction and release; the other rows correct what was known. A
    prediction that `ledger` does not hold is left for `settle`. A row valued under another objective is booked
    anew only when its label changed.
    """
    if ledger.is_empty() or predictions.is_empty():
        empty = pl.DataFrame(schema=polars_schema(LEDGER))
        return Settled(empty, _counted(0, empty, 0, 0))
    booked = predictions.sort("received_at").join(
        ledger.select(_BOOKED).unique(), on=_BOOKED, how="semi", maintain_order="left"
    )
    fresh = settle(product, booked, outcomes, settled_at=settled_at)
    before = current(ledger).select(*_IDENTITY, "label", "objective", *_VALUES)
    paired = fresh.rows.join(before, on=_IDENTITY, how="inner", maintain_order="left", suffix="_before")
    moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in _VALUES)
    same_objective = pl.col("objective") == pl.col("objective_before")
    changed = paired.filter(pl.col("label").ne_missing(pl.col("label_before")) | (same_objective & moved))
    rows = _marked(changed.select(fresh.rows.columns), ledger)
    return Settled(rows, _counted(0, rows, 0, rows.height))


def current(ledger: pl.DataFrame) -> pl.DataFrame:
    """The last booking of each prediction and release, sorted by decision time, id and release.

    The result does not depend on the order of rows or on how they were split into batches.
    """
    if ledger.is_empty():
        return pl.DataFrame(schema=polars_schema(LEDGER))
    order = ["settled_at", "label", *_VALUES]
    latest = ledger.sort(order, nulls_last=False).unique(_IDENTITY, keep="last", maintain_order=True)
    return latest.sort("made_at", *_IDENTITY)


def _marked(rows: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """The rows, with `awaited` where the ledger holds no value of this prediction and release yet."""
    known = ledger.filter(pl.col("value").is_not_null()).select(*_IDENTITY, awaited=False).unique()
    marked = rows.drop("awaited").join(known, on=_IDENTITY, how="left", maintain_order="left")
    first = pl.col("awaited").is_null() & pl.col("value").is_not_null()
    return marked.with_columns(first.alias("awaited")).select(rows.columns)


def _booked(product: Product, joined: pl.DataFrame, settled_at: datetime) -> pl.DataFrame:
    # A score of exactly 1 in 32 bits may come back a hair above it.
    score = pl.col("score").fill_nan(None)
    loss = ((score - pl.col("label").cast(pl.Float64)) ** 2).clip(0.0, 1.0)
    label = pl.col(f"outcome_{product.label}").cast(pl.Boolean).alias("label")
    valued = joined.with_columns(_valued(product, joined)).with_columns(label, score.alias("score"))
    rows = valued.with_columns(
        loss.alias("loss"),
        product.block(valued["made_at"]).alias("block"),
        pl.lit(settled_at).cast(TIMESTAMP).alias("settled_at"),
        pl.lit(product.objective.digest).alias("objective"),
        pl.lit(False).alias("awaited"),
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in polars_schema(LEDGER).items())


def _valued(product: Product, joined: pl.DataFrame) -> list[pl.Series]:
    """The four values of each row, and whether the range cut one of them."""
    frame = stored_columns(product, joined, value_columns(product)).with_columns(
        joined[f"outcome_{name}"].alias(name) for name in outcome_types(product)
    )
    always = pl.repeat(True, joined.height, dtype=pl.Boolean, eager=True)
    decisions = dict(zip(_VALUES, (joined["decision"], joined["baseline"], always, ~always), strict=True))
    valued = {name: product.value(frame, decision) for name, decision in decisions.items()}
    cut = pl.DataFrame({name: part["capped"] for name, part in valued.items()})
    capped = cut.select(pl.any_horizontal(pl.all().fill_null(False)).alias("capped"))["capped"]
    return [part["value"].alias(name) for name, part in valued.items()] + [capped]


def _counted(repeated: int, rows: pl.DataFrame, duplicates: int, corrected: int) -> SettleCounts:
    return SettleCounts(
        rows=rows.height,
        without_outcome=rows["label"].null_count() if rows.height else 0,
        capped=int(rows["capped"].sum()) if rows.height else 0,
        repeated=repeated,
        duplicates=duplicates,
        corrected=corrected,
    )

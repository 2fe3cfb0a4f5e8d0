"""Sealed journal segments into the tables, each exactly once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from seatrial.contract.types import polars_schema, polars_type
from seatrial.facts.prediction import Outcome, Prediction
from seatrial.facts.records import OUTCOMES, decode_outcome, decode_prediction
from seatrial.facts.tables import OUTCOMES as OUTCOME_COLUMNS
from seatrial.facts.tables import PREDICTIONS as PREDICTION_COLUMNS
from seatrial.facts.tables import Column, table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product


@dataclass(frozen=True)
class Drained:
    """What newly reached the tables."""

    predictions: pl.DataFrame
    outcomes: pl.DataFrame
    segments: int
    cut_bytes: int


def drain(workspace: Workspace, product: Product) -> Drained:
    """Move every sealed segment into its table; the segment's name is the commit's, so repeats add nothing."""
    fresh: dict[str, list[pl.DataFrame]] = {"predictions": [], "outcomes": []}
    segments = cut = 0
    for segment in workspace.journal.sealed():
        table = "outcomes" if segment.kind == OUTCOMES else "predictions"
        frame = _FRAMES[table](product, segment.records)
        name = table_name(product.name, table)
        writer = f"{segment.kind}:{segment.writer}"
        if frame.height and workspace.tables.append(name, frame, writer=writer, version=segment.number):
            fresh[table].append(frame)
        workspace.journal.discard(segment)
        segments, cut = segments + 1, cut + segment.cut_bytes
    return Drained(
        predictions=_together(fresh["predictions"], predictions_schema(product)),
        outcomes=_together(fresh["outcomes"], outcomes_schema(product)),
        segments=segments,
        cut_bytes=cut,
    )


def predictions_schema(product: Product) -> dict[str, Any]:
    """The columns of the `predictions` table: the fixed ones, then `feature_<name>` per known column."""
    features = {
        f"feature_{name}": polars_type(kind) for name, kind in product.columns.items() if kind != "timestamp"
    }
    return {**polars_schema(PREDICTION_COLUMNS), **features}


def outcomes_schema(product: Product) -> dict[str, Any]:
    """The columns of the `outcomes` table: the fixed ones, then `outcome_<name>` per outcome column."""
    columns = (product.request.column(name) for name in product.outcome_columns)
    values = {f"outcome_{column.name}": polars_type(column.type) for column in columns if column is not None}
    return {**polars_schema(OUTCOME_COLUMNS), **values}


def _predictions(product: Product, records: Sequence[bytes]) -> pl.DataFrame:
    facts = [decode_prediction(record) for record in records]
    schema = predictions_schema(product)
    data = _fixed(facts, PREDICTION_COLUMNS)
    for column in schema:
        if column.startswith("feature_"):
            name = column.removeprefix("feature_")
            data[column] = [fact.features.get(name) for fact in facts]
    return pl.DataFrame(data, schema=schema, strict=False)


def _outcomes(product: Product, records: Sequence[bytes]) -> pl.DataFrame:
    facts = [decode_outcome(record) for record in records]
    data = _fixed(facts, OUTCOME_COLUMNS)
    for name in product.outcome_columns:
        data[f"outcome_{name}"] = [fact.values.get(name) for fact in facts]
    return pl.DataFrame(data, schema=outcomes_schema(product), strict=False)


def _fixed(facts: Sequence[Prediction | Outcome], columns: Sequence[Column]) -> dict[str, list[Any]]:
    return {column.name: [getattr(fact, column.name) for fact in facts] for column in columns}


def _together(frames: list[pl.DataFrame], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


_FRAMES: dict[str, Callable[[Product, Sequence[bytes]], pl.DataFrame]] = {
    "predictions": _predictions,
    "outcomes": _outcomes,
}

"""Snapshots: immutable tables of examples, named by their rows, with their lineage."""

import io
from datetime import datetime

import polars as pl

from seatrial.data.digest import rows_digest
from seatrial.data.examples import KNOWN_AT
from seatrial.data.read import SourceTables
from seatrial.errors import DataRefused, IntegrityBroken
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.artifacts import Artifacts
from seatrial.product.product import MATURED_AT, Product

__all__ = ["examples_as_of", "load_snapshot", "rows_digest", "save_snapshot"]


def examples_as_of(product: Product, examples: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The examples that had matured and whose outcome was known by `as_of`, in their order.

    Both are asked: outcomes known early are not representative of those that take long, and an outcome that is
    still unknown teaches nothing.
    """
    labelled = pl.col(product.label).is_not_null()
    return examples.filter((pl.col(MATURED_AT) <= as_of) & (pl.col(KNOWN_AT) <= as_of) & labelled)


def save_snapshot(
    product: Product,
    frame: pl.DataFrame,
    tables: SourceTables,
    artifacts: Artifacts,
    *,
    as_of: datetime | None,
    at: datetime,
) -> Snapshot:
    """The snapshot of `frame`, its rows stored as Parquet. Raises DataRefused when there are no rows."""
    if frame.is_empty():
        raise DataRefused(f"{product.name}: no matured example by {as_of}; a snapshot needs at least one")
    made_at = frame[product.made_at]
    return Snapshot(
        id=rows_digest(frame),
        product=product.name,
        artifact=artifacts.put(_parquet(frame)),
        rows=frame.height,
        columns=tuple(frame.columns),
        first_made_at=_moment(made_at.min()),
        last_made_at=_moment(made_at.max()),
        as_of=as_of,
        sources=tables.reads,
        rules=tables.rules,
        contract_version=product.contract.version,
        product_digest=product.digest,
        created_at=at,
    )


def load_snapshot(snapshot: Snapshot, artifacts: Artifacts) -> pl.DataFrame:
    """The rows of a snapshot. Raises NotFound, or IntegrityBroken when they are not the rows that it names."""
    frame = pl.read_parquet(io.BytesIO(artifacts.get(snapshot.artifact)))
    found = rows_digest(frame)
    if found != snapshot.id:
        raise IntegrityBroken(
            f"snapshot {snapshot.id}: artifact {snapshot.artifact} holds other rows ({found})"
        )
    return frame


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise DataRefused("the decision time of a snapshot's rows is missing everywhere")
    return value

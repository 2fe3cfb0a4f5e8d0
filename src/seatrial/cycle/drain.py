"""Sealed journal segments into the tables, each exactly once, in whatever order they come."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.cycle.aside import segment_id, set_aside, tell_put_back, tell_unfit
from seatrial.cycle.columns import Columns, Framed, outcomes_schema, predictions_schema
from seatrial.cycle.ejections import heed
from seatrial.cycle.fitting import in_columns
from seatrial.errors import DataRefused
from seatrial.facts.job import Lease
from seatrial.facts.records import (
    ACTIONS,
    EJECTIONS,
    OUTCOMES,
    PREDICTIONS,
    decode_action,
    decode_ejection,
    decode_outcome,
    decode_predictions,
)
from seatrial.facts.tables import ACTIONS as ACTION_COLUMNS
from seatrial.facts.tables import table_name
from seatrial.ports.journal import Segment
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product

__all__ = ["Drained", "drain", "outcomes_schema", "predictions_schema"]

# A prediction is its id under its release, an outcome or action all that was reported.
_ANSWER = ("prediction_id", "release", "served")
_IDENTITY = {PREDICTIONS: _ANSWER, OUTCOMES: None, ACTIONS: None}
# How long before a request the same one may have been answered that was then asked again.
_RETRIES = timedelta(days=1)


@dataclass(frozen=True)
class Drained:
    """What newly reached the tables, in the columns of the present product.

    `unfit` counts, per stored column, the values that did not fit its type and are missing; `aside` counts the
    segments that could not be stored at all.
    """

    predictions: pl.DataFrame
    outcomes: pl.DataFrame
    actions: pl.DataFrame
    segments: int
    cut_bytes: int
    unfit: dict[str, int] = field(default_factory=dict)
    aside: int = 0


def drain(workspace: Workspace, product: Product, *, lease: Lease | None = None) -> Drained:
    """Move every sealed segment into its table; the segment's name is the commit's, so repeats add nothing.

    A canary that a server ejected is rolled back. What was answered again under its idempotency key is stored once.

    A segment that cannot be stored is set aside with an open incident; the others go on. Raises LeaseLost when
    that cannot be told, since another worker holds the lease.
    """
    work = _Drain(workspace, product, lease)
    for segment in workspace.journal.sealed():
        work.take(segment)
    return work.ended()


@dataclass
class _Drain:
    """One pass over the journal."""

    workspace: Workspace
    product: Product
    lease: Lease | None

    def __post_init__(self) -> None:
        self.fresh: dict[str, list[pl.DataFrame]] = {table: [] for table in _IDENTITY}
        self.unfit: Counter[str] = Counter()
        self.segments = self.cut_bytes = self.aside = 0
        self._stored: set[str] = set()
        self._columns = Columns(self.workspace, self.product)

    def take(self, segment: Segment) -> None:
        """Hand one segment over and discard it, or set it aside."""
        try:
            self._hand_over(segment)
        except msgspec.MsgspecError as error:
            self._set_aside(segment, f"a record does not decode: {error}")
            return
        except DataRefused as error:
            self._set_aside(segment, str(error))
            return
        self.workspace.journal.discard(segment)
        self._stored.add(segment_id(segment))
        self.segments, self.cut_bytes = self.segments + 1, self.cut_bytes + segment.cut_bytes

    def ended(self) -> Drained:
        """What the pass did; what people must know is recorded."""
        name = self.product.name
        if self.unfit:
            tell_unfit(self.workspace, name, self.unfit, lease=self.lease)
        if self._stored:
            tell_put_back(self.workspace, name, self._stored, lease=self.lease)
        return Drained(
            predictions=_together(self.fresh[PREDICTIONS], predictions_schema(self.product)),
            outcomes=_together(self.fresh[OUTCOMES], outcomes_schema(self.product)),
            actions=_together(self.fresh[ACTIONS], polars_schema(ACTION_COLUMNS)),
            segments=self.segments,
            cut_bytes=self.cut_bytes,
            unfit=dict(self.unfit),
            aside=self.aside,
        )

    def _set_aside(self, segment: Segment, reason: str) -> None:
        set_aside(self.workspace, self.product.name, segment, reason, lease=self.lease)
        self.aside += 1

    def _hand_over(self, segment: Segment) -> None:
        if segment.kind in _IDENTITY:
            self._append(segment)
        elif segment.kind == EJECTIONS:
            ejections = map(decode_ejection, segment.records)
            heed(self.workspace, self.product, ejections, lease=self.lease)
        else:
            raise DataRefused(f"no table is known for records of {segment.kind}")

    def _append(self, segment: Segment) -> None:
        frame, unfit = self._framed(segment)
        if frame.height > 0 and self._store(segment.kind, frame, segment):
            self.fresh[segment.kind].append(frame)
            self.unfit.update(unfit)

    def _store(self, table: str, frame: pl.DataFrame, segment: Segment) -> bool:
        """Whether the rows were not in the table yet; now they are."""
        tables, name = self.workspace.tables, table_name(self.product.name, table)
        writer = f"{segment.kind}:{segment.writer}"
        if tables.append(name, frame, writer=writer, version=segment.number):
            return True
        # Committed before, or a later segment of this writer came first: only the rows themselves tell.
        if self._holds(table, frame):
            return False
        return tables.append(name, frame, writer=f"{writer}:{segment.number}", version=1)

    def _holds(self, table: str, frame: pl.DataFrame) -> bool:
        received = pl.col("received_at")
        around = received.is_between(frame["received_at"].min(), frame["received_at"].max())
        stored = self.workspace.tables.read(table_name(self.product.name, table), where=around)
        identity = [name for name in _IDENTITY[table] or frame.columns if name in stored.columns]
        return frame.join(stored, on=identity, how="anti", nulls_equal=True).is_empty()

    def _framed(self, segment: Segment) -> Framed:
        if segment.kind == PREDICTIONS:
            frame, unfit = self._columns.predictions(map(decode_predictions, segment.records))
            return self._unrepeated(frame), unfit
        if segment.kind == OUTCOMES:
            return self._columns.outcomes([decode_outcome(record) for record in segment.records])
        return self._columns.actions([decode_action(record) for record in segment.records])

    def _unrepeated(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The predictions less those that were given before: asked again, another server gives the same one anew."""
        keyed = frame.filter(pl.col("idempotency_key").is_not_null())
        if keyed.is_empty():
            return frame
        received = keyed["received_at"].to_list()
        named = pl.col("prediction_id").is_in(keyed["prediction_id"].implode())
        recent = pl.col("received_at") >= min(received) - _RETRIES
        stored = self.workspace.tables.read(table_name(self.product.name, PREDICTIONS), where=recent & named)
        fresh = frame.unique(_ANSWER, keep="first", maintain_order=True)
        return fresh.join(stored, on=_ANSWER, how="anti", maintain_order="left") if stored.width else fresh


def _together(frames: list[pl.DataFrame], schema: dict[str, Any]) -> pl.DataFrame:
    return (
        pl.concat([in_columns(frame, schema) for frame in frames]) if frames else pl.DataFrame(schema=schema)
    )

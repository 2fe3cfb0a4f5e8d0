"""Matured predictions into the ledger, in maturity order, each exactly once.

What is pending lives in memory and is rebuilt from the tables at start, so a crash loses nothing: a ledger
batch is named by its number, and whatever is in the ledger is not pending.
"""

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.cycle.drain import Drained, outcomes_schema, predictions_schema
from seatrial.errors import LeaseLost
from seatrial.facts.tables import STORED_LEDGER, table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.value.ledger import resettle, settle
from seatrial.value.outcomes import OutcomeCounts, match_outcomes

SETTLED = "settle"
CORRECTED = "correct"


@dataclass
class Totals:
    """What was handled so far, for people to see."""

    settled: int = 0
    without_outcome: int = 0
    joined: int = 0
    duplicates: int = 0
    corrected: int = 0
    unknown: int = 0


@dataclass
class Settlement:
    """Joins outcomes to predictions as they mature, and books their value."""

    workspace: Workspace
    product: Product
    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        tables = self.workspace.tables
        self._ledger = table_name(self.product.name, "ledger")
        self._batch = (tables.version(self._ledger, SETTLED) or 0) + 1
        self._corrections = (tables.version(self._ledger, CORRECTED) or 0) + 1
        self._pending, self._outcomes = self._unsettled()

    @property
    def pending(self) -> int:
        """Predictions that have not matured or been settled yet, shadows included."""
        return self._pending.height

    def take_in(self, drained: Drained) -> None:
        """Add newly drained predictions and outcomes; outcomes of settled predictions are booked as corrections."""
        if drained.predictions.height:
            together = pl.concat([self._pending, drained.predictions])
            self._pending = together.unique(["prediction_id", "release"], keep="first", maintain_order=True)
        if drained.outcomes.height:
            self._outcomes = pl.concat([self._outcomes, drained.outcomes])
            self._correct(drained.outcomes)
        self.totals.unknown = self.unmatched()

    def settle(self, now: datetime) -> tuple[int, pl.DataFrame]:
        """The number of this batch and its ledger rows: everything that matured by `now`; maybe none.

        Raises LeaseLost when another worker booked in the meantime: what is pending here is then out of date.
        """
        due = self._pending.filter(pl.col("matured_at") <= now).sort("matured_at", "prediction_id", "release")
        if not due.height:
            return self._batch, pl.DataFrame(schema=polars_schema(STORED_LEDGER))
        matched = match_outcomes(self.product, _answers(due), self._outcomes)
        settled = settle(self.product, due, self._outcomes, settled_at=now)
        rows = settled.rows.with_columns(pl.lit(self._batch, dtype=pl.Int64).alias("batch"))
        number = self._batch
        self._book(rows, SETTLED, number)
        self._batch += 1
        self._pending = self._pending.filter(pl.col("matured_at") > now)
        self._forget(due)
        self._count(_answers(due).height, matched)
        return number, rows

    def _book(self, rows: pl.DataFrame, writer: str, number: int) -> None:
        if not self.workspace.tables.append(self._ledger, rows, writer=writer, version=number):
            raise LeaseLost(
                f"{self._ledger}: batch {number} of {writer} is booked already, by another worker; start anew"
            )

    def _count(self, answers: int, matched: OutcomeCounts) -> None:
        self.totals.settled += answers
        self.totals.without_outcome += answers - matched.matched
        self.totals.joined += matched.matched
        self.totals.duplicates += matched.duplicates
        self.totals.corrected += matched.corrected

    def unmatched(self) -> int:
        """Outcomes in hand whose prediction is not known here (yet)."""
        return match_outcomes(self.product, self._pending, self._outcomes).unknown

    def _unsettled(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        tables = self.workspace.tables
        predictions = stored_rows(
            tables.read(table_name(self.product.name, "predictions")), predictions_schema(self.product)
        )
        outcomes = stored_rows(
            tables.read(table_name(self.product.name, "outcomes")), outcomes_schema(self.product)
        )
        ledger = tables.read(self._ledger)
        if not ledger.height:
            return predictions, outcomes
        # A worker may have died after it stored late outcomes and before it booked what they correct.
        self._amend(predictions, outcomes, ledger)
        pending = predictions.join(ledger, on=["prediction_id", "release"], how="anti", maintain_order="left")
        return pending, _without(outcomes, ledger, pending)

    def _forget(self, due: pl.DataFrame) -> None:
        self._outcomes = _without(self._outcomes, due, self._pending)

    def _correct(self, outcomes: pl.DataFrame) -> None:
        """Outcomes that came after their prediction was settled: new ledger rows, which readers prefer."""
        ids = outcomes["prediction_id"].drop_nulls().implode()
        keys = outcomes["key"].drop_nulls().implode()
        touched = pl.col("prediction_id").is_in(ids) | pl.col("key").is_in(keys)
        ledger = self.workspace.tables.read(self._ledger, where=touched)
        if not ledger.height:
            return
        predictions = self.workspace.tables.read(table_name(self.product.name, "predictions"), where=touched)
        known = self.workspace.tables.read(table_name(self.product.name, "outcomes"), where=touched)
        corrected = self._amend(predictions, known, ledger)
        self._outcomes = _without(self._outcomes, ledger, self._pending)
        reports = outcomes.height - match_outcomes(self.product, ledger, outcomes).unknown
        self.totals.corrected += corrected
        self.totals.duplicates += max(0, reports - corrected)

    def _amend(self, predictions: pl.DataFrame, outcomes: pl.DataFrame, ledger: pl.DataFrame) -> int:
        """The number of answers whose booking the outcomes changed; each has a new ledger row now."""
        now = self.workspace.clock.now()
        rows = resettle(self.product, predictions, outcomes, ledger, settled_at=now).rows
        if rows.height:
            booked = rows.with_columns(pl.lit(None, dtype=pl.Int64).alias("batch"))
            self._book(booked, CORRECTED, self._corrections)
            self._corrections += 1
        return _answers(rows).height


def _answers(predictions: pl.DataFrame) -> pl.DataFrame:
    """The predictions that answered somebody; shadows repeat them."""
    return predictions.filter(pl.col("assigned") != "shadow")


def stored_rows(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Stored rows in the present columns; columns that this product no longer has are left in the table."""
    if not frame.width:
        return pl.DataFrame(schema=schema)
    missing = [
        pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items() if name not in frame.columns
    ]
    return frame.with_columns(missing).select(schema.keys())


def _without(outcomes: pl.DataFrame, settled: pl.DataFrame, pending: pl.DataFrame) -> pl.DataFrame:
    """The outcomes that a pending prediction may still wait for: another one of the same key may be settled."""
    still = pending.select("prediction_id", "key")
    gone = settled.join(still, on="prediction_id", how="anti").join(still, on="key", how="anti")
    ids, keys = gone["prediction_id"].implode(), gone["key"].implode()
    known = pl.col("prediction_id").is_in(ids).fill_null(False) | pl.col("key").is_in(keys).fill_null(False)
    return outcomes.filter(~known)

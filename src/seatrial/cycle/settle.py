"""Matured predictions into the ledger, in maturity order, each exactly once.

What is pending lives in memory and is rebuilt from the tables at start, so a crash loses nothing: a ledger
batch is named by its number, and whatever is in the ledger is not pending. An outcome that comes after its prediction
was booked without one gets a row in a batch of its own, for monitors and trials have not seen it yet; what corrects a
known outcome gets a row without a number.
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.cycle.drain import Drained, outcomes_schema, predictions_schema
from seatrial.cycle.fitting import in_columns
from seatrial.cycle.tally import Totals, answers_of, counted, progress_of, stored_totals
from seatrial.errors import LeaseLost
from seatrial.facts.job import Lease
from seatrial.facts.tables import STORED_LEDGER, table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.value.ledger import resettle, settle
from seatrial.value.outcomes import match_outcomes

SETTLED = "settle"
CORRECTED = "correct"
_IDENTITY = ["prediction_id", "release"]
_BOOKED = [*_IDENTITY, "assigned", "key"]
_MOST_CHUNKS = 100


@dataclass
class Settlement:
    """Joins outcomes to predictions as they mature, and books their value."""

    workspace: Workspace
    product: Product

    def __post_init__(self) -> None:
        name, tables = self.product.name, self.workspace.tables
        self._ledger, self._predictions = table_name(name, "ledger"), table_name(name, "predictions")
        self._reports = table_name(name, "outcomes")
        self._batch = (tables.version(self._ledger, SETTLED) or 0) + 1
        self._corrections = (tables.version(self._ledger, CORRECTED) or 0) + 1
        stored = stored_totals(self.workspace, name)
        self._changed = stored is None
        self.totals = self._caught_up() if stored is None else stored
        booked = tables.read(self._ledger, columns=_BOOKED) if tables.rows(self._ledger) else pl.DataFrame()
        self._booked = booked if booked.width else pl.DataFrame(schema=dict.fromkeys(_BOOKED, pl.String()))
        self._pending = self._unbooked()
        self._outcomes = _without(self._read_outcomes(), self._booked, self._pending)
        self.totals.unknown = self.unmatched()

    @property
    def pending(self) -> int:
        """Predictions that have not matured or been settled yet, shadows included."""
        return self._pending.height

    def take_in(self, drained: Drained) -> None:
        """Add newly drained predictions and outcomes; outcomes of settled predictions are booked at once."""
        if drained.outcomes.height:
            self._outcomes = pl.concat([self._outcomes, drained.outcomes])
            self._book_late(drained.outcomes)
        if drained.predictions.height:
            self._await(drained.predictions)
        if drained.outcomes.height or drained.predictions.height:
            self.totals.unknown = self.unmatched()
            self._changed = True

    def settle(self, now: datetime) -> tuple[int, pl.DataFrame]:
        """The number of this batch and its ledger rows: everything that matured by `now`; maybe none.

        Raises LeaseLost when another worker booked in the meantime: what is pending here is then out of date.
        """
        due = self._pending.filter(pl.col("matured_at") <= now).sort("matured_at", "prediction_id", "release")
        if not due.height:
            return self._batch, pl.DataFrame(schema=polars_schema(STORED_LEDGER))
        answers = answers_of(due)
        matched = match_outcomes(self.product, answers, self._outcomes)
        number, rows = self._book_batch(settle(self.product, due, self._outcomes, settled_at=now).rows)
        self._pending = self._pending.filter(pl.col("matured_at") > now)
        self._forget(due)
        self.totals.settled += answers.height
        self.totals.without_outcome += answers.height
        self.totals.add(matched)
        return number, rows

    def store(self, lease: Lease | None) -> None:
        """Store the totals when they changed, for people to see and for the next worker to go on from."""
        if not self._changed:
            return
        progress = progress_of(self.workspace, self.product.name, self.totals, position=self._batch - 1)
        with self.workspace.metadata.begin() as transaction:
            if lease is not None:
                transaction.guard(lease)
            transaction.put(progress)
        self._changed = False

    def unmatched(self) -> int:
        """Outcomes in hand whose prediction is not known here (yet)."""
        return match_outcomes(self.product, self._pending, self._outcomes).unknown

    def _book_batch(self, rows: pl.DataFrame) -> tuple[int, pl.DataFrame]:
        number = self._batch
        numbered = rows.with_columns(pl.lit(number, dtype=pl.Int64).alias("batch"))
        self._book(numbered, SETTLED, number)
        self._batch += 1
        return number, numbered

    def _book(self, rows: pl.DataFrame, writer: str, number: int) -> None:
        self._changed = True
        if not self.workspace.tables.append(self._ledger, rows, writer=writer, version=number):
            raise LeaseLost(
                f"{self._ledger}: batch {number} of {writer} is booked already, by another worker; start anew"
            )

    def _caught_up(self) -> Totals:
        """The totals, counted anew, once all outcomes are booked.

        A worker may have died after it stored late outcomes and before it booked them. Which those are, no time
        tells: a journal may be drained long after its outcomes were received.
        """
        predictions, outcomes = self._read_predictions(), self._read_outcomes()
        ledger = self.workspace.tables.read(self._ledger)
        if ledger.height and self._amend(predictions, outcomes, ledger).height:
            ledger = self.workspace.tables.read(self._ledger)
        return counted(self.product, predictions, outcomes, ledger)

    def _unbooked(self) -> pl.DataFrame:
        ids = self.workspace.tables
        there = ids.read(self._predictions, columns=_IDENTITY) if ids.rows(self._predictions) else None
        if there is None:
            return pl.DataFrame(schema=predictions_schema(self.product))
        waiting = there.join(self._booked, on=_IDENTITY, how="anti")["prediction_id"].unique()
        rows = self._read_predictions(pl.col("prediction_id").is_in(waiting.implode()))
        return _standing(rows, self._booked)

    def _read_predictions(self, where: pl.Expr | None = None) -> pl.DataFrame:
        rows = self.workspace.tables.read(self._predictions, where=where)
        return stored_rows(rows, predictions_schema(self.product))

    def _read_outcomes(self, where: pl.Expr | None = None) -> pl.DataFrame:
        return stored_rows(
            self.workspace.tables.read(self._reports, where=where), outcomes_schema(self.product)
        )

    def _await(self, predictions: pl.DataFrame) -> None:
        """Add predictions to the pending ones; an answer that was given before does not count again."""
        together = pl.concat([self._pending, predictions])
        standing = _standing(together, self._booked)
        self.totals.repeated += answers_of(together).height - answers_of(standing).height
        self._outcomes = pl.concat([self._outcomes, self._recalled(standing)])
        self._pending = standing

    def _recalled(self, predictions: pl.DataFrame) -> pl.DataFrame:
        """Outcomes of the keys that are pending anew: they were let go when another prediction was settled."""
        keys = predictions.join(self._pending, on="key", how="anti")["key"].unique()
        again = self._booked.filter(pl.col("key").is_in(keys.implode()))["key"].unique()
        return (
            self._read_outcomes(pl.col("key").is_in(again.implode())) if again.len() else self._outcomes[:0]
        )

    def _forget(self, due: pl.DataFrame) -> None:
        self._outcomes = _without(self._outcomes, due, self._pending)
        self._booked = pl.concat([self._booked, due.select(_BOOKED)])
        if self._booked.n_chunks() > _MOST_CHUNKS:
            self._booked = self._booked.rechunk()

    def _book_late(self, outcomes: pl.DataFrame) -> None:
        """Outcomes that came after their prediction was settled: new ledger rows, which readers prefer."""
        ledger = self.workspace.tables.read(self._ledger, where=_named_in(outcomes))
        if not ledger.height:
            return
        predictions = self._read_predictions(_ids_in(ledger))
        known = self._read_outcomes(_named_in(ledger))
        answers = answers_of(ledger)
        rows = self._amend(predictions, known, ledger)
        self.totals.late += int(answers_of(rows)["awaited"].sum())
        self.totals.add(match_outcomes(self.product, answers, _less(known, outcomes)), sign=-1)
        self.totals.add(match_outcomes(self.product, answers, known))
        self._outcomes = _without(self._outcomes, ledger, self._pending)

    def _amend(self, predictions: pl.DataFrame, outcomes: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
        """The new ledger rows: first outcomes in a batch with a number, corrections of known ones without."""
        now = self.workspace.clock.now()
        rows = resettle(self.product, predictions, outcomes, ledger, settled_at=now).rows
        first, corrected = rows.filter("awaited"), rows.filter(~pl.col("awaited"))
        if first.height:
            self._book_batch(first)
        if corrected.height:
            unnumbered = corrected.with_columns(pl.lit(None, dtype=pl.Int64).alias("batch"))
            self._book(unnumbered, CORRECTED, self._corrections)
            self._corrections += 1
        return rows


def _standing(predictions: pl.DataFrame, booked: pl.DataFrame) -> pl.DataFrame:
    """The predictions that are to be booked: of answers under one id the first received, if none is booked.

    A retry may be answered again by another server or, after a promotion, by another release.
    """
    ours = booked.filter(_ids_in(predictions))
    ordered = predictions.sort("received_at", "made_at", "release", maintain_order=True)
    fresh = ordered.join(ours, on=_IDENTITY, how="anti", maintain_order="left")
    answers = answers_of(fresh).join(answers_of(ours), on="prediction_id", how="anti", maintain_order="left")
    first = answers.unique("prediction_id", keep="first", maintain_order=True)
    shadows = fresh.filter(pl.col("assigned") == "shadow")
    return pl.concat([first, shadows]).unique(_IDENTITY, keep="first", maintain_order=True)


def _ids_in(rows: pl.DataFrame) -> pl.Expr:
    return pl.col("prediction_id").is_in(rows["prediction_id"].unique().implode())


def _named_in(rows: pl.DataFrame) -> pl.Expr:
    """Whether a row is about the same prediction id or key as one of `rows`."""
    ids = rows["prediction_id"].drop_nulls().unique().implode()
    keys = rows["key"].drop_nulls().unique().implode()
    return pl.col("prediction_id").is_in(ids) | pl.col("key").is_in(keys)


def _less(rows: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """The rows without `taken`, each taken once from among its equals."""
    number = pl.int_range(pl.len()).over(taken.columns).alias("number")
    columns = [*taken.columns, "number"]
    left = rows.with_columns(number).join(
        taken.with_columns(number), on=columns, how="anti", nulls_equal=True
    )
    return left.select(taken.columns)


def stored_rows(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Stored rows in the present columns and types; columns that this product no longer has stay in the table."""
    return in_columns(frame, schema) if frame.width else pl.DataFrame(schema=schema)


def _without(outcomes: pl.DataFrame, settled: pl.DataFrame, pending: pl.DataFrame) -> pl.DataFrame:
    """The outcomes that a pending prediction may still wait for: another one of the same key may be settled."""
    still = pending.select("prediction_id", "key")
    gone = settled.join(still, on="prediction_id", how="anti").join(still, on="key", how="anti")
    ids, keys = gone["prediction_id"].implode(), gone["key"].implode()
    known = pl.col("prediction_id").is_in(ids).fill_null(False) | pl.col("key").is_in(keys).fill_null(False)
    return outcomes.filter(~known)

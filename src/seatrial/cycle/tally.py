"""How outcomes fared: counted as they come, stored with the loop's progress, and counted anew after a crash."""

from typing import Any

import msgspec
import polars as pl

from seatrial.facts.job import Progress
from seatrial.facts.prediction import Variant
from seatrial.facts.tables import table_name
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.value.outcomes import OutcomeCounts, match_outcomes

PROGRESS = "settle"
_COUNTED = ("predictions", "outcomes", "ledger")


class Totals(msgspec.Struct, kw_only=True):
    """What was handled so far, of answers alone: shadows repeat them.

    `settled` answers are booked: `joined` have an outcome, `without_outcome` none yet. `late` of the joined got it
    after they were booked. Of further reports on one answer, `corrected` brought new values and `duplicates` none.
    `unknown` reports name no answer (yet). `repeated` answers came again under the same prediction id and do not count.
    """

    settled: int = 0
    joined: int = 0
    without_outcome: int = 0
    late: int = 0
    duplicates: int = 0
    corrected: int = 0
    unknown: int = 0
    repeated: int = 0

    def add(self, counts: OutcomeCounts, *, sign: int = 1) -> None:
        """Add (or with `sign` -1 take away) what reports on settled answers came to."""
        self.joined += sign * counts.matched
        self.without_outcome -= sign * counts.matched
        self.duplicates += sign * counts.duplicates
        self.corrected += sign * counts.corrected


def answers_of(rows: pl.DataFrame) -> pl.DataFrame:
    """The predictions, or their ledger rows, that answered somebody."""
    return rows.filter(pl.col("assigned") != Variant.SHADOW.value)


def counted(
    product: Product, predictions: pl.DataFrame, outcomes: pl.DataFrame, ledger: pl.DataFrame
) -> Totals:
    """The totals over whole tables, but for `unknown`."""
    given, booked = answers_of(predictions), answers_of(ledger) if ledger.width else ledger
    totals = Totals(repeated=given.height - given["prediction_id"].n_unique())
    if booked.height:
        totals.settled = totals.without_outcome = booked["prediction_id"].n_unique()
        totals.late = int(booked["awaited"].sum()) if "awaited" in booked.columns else 0
        totals.add(match_outcomes(product, booked, outcomes))
    return totals


def stored_totals(workspace: Workspace, product: str) -> Totals | None:
    """The totals as last stored; None when the tables have changed since, so that they must be counted anew."""
    with workspace.metadata.begin() as transaction:
        progress = transaction.get(Progress, product, PROGRESS)
    if progress is None or progress.state.get("rows") != _rows(workspace, product):
        return None
    return msgspec.convert(progress.state["totals"], Totals)


def progress_of(workspace: Workspace, product: str, totals: Totals, *, position: int) -> Progress:
    """The totals as a fact, with the size of the tables that they were counted on."""
    state: dict[str, Any] = {"totals": msgspec.to_builtins(totals), "rows": _rows(workspace, product)}
    return Progress(id=PROGRESS, product=product, position=position, at=workspace.clock.now(), state=state)


def recorded_totals(transaction: Transaction, product: str) -> dict[str, int]:
    """The totals as last stored, by name; empty before anything was handled."""
    progress = transaction.get(Progress, product, PROGRESS)
    return dict(progress.state["totals"]) if progress else {}


def _rows(workspace: Workspace, product: str) -> dict[str, int]:
    return {table: workspace.tables.rows(table_name(product, table)) for table in _COUNTED}

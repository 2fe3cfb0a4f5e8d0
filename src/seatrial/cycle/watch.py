"""Ledger batches into findings and incidents; the monitors' memory and position commit with what they found."""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from seatrial.cycle.survey import store_findings
from seatrial.facts.finding import Incident
from seatrial.facts.job import Lease, Progress
from seatrial.facts.model import Model
from seatrial.facts.release import Release
from seatrial.facts.tables import table_name
from seatrial.observe.watch import WatchState, advance, from_plain, start, to_plain
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.release.phases import live_release

PROGRESS = "watch"


@dataclass
class Watch:
    """Feeds each ledger batch to the monitors of the live release exactly once."""

    workspace: Workspace
    product: Product

    def take_in(self, batch: int, rows: pl.DataFrame, lease: Lease | None) -> list[Incident]:
        """New incidents from this batch and any that an earlier, killed worker booked but did not watch."""
        with self.workspace.metadata.begin() as transaction:
            progress = transaction.get(Progress, self.product.name, PROGRESS)
            live = live_release(transaction, self.product.name)
            model = transaction.get(Model, self.product.name, live.bundle.model) if live else None
        if live is None or model is None:
            return []
        position = progress.position if progress else 0
        booked = batch if rows.height else batch - 1
        # Also before a batch without rows: the moment that goes with it closes the days of what was missed.
        if batch > position + 1:
            rows = self._missed(position)
        state = _state(self.product, live, model, progress)
        if rows.is_empty() and not state.waiting:
            # Nothing to take in, no day to close: the state stays as it is, and costs no write every second.
            return []
        return self._advance(state, live, model, max(position, booked), rows, lease)

    def _missed(self, position: int) -> pl.DataFrame:
        ledger = table_name(self.product.name, "ledger")
        return self.workspace.tables.read(ledger, where=pl.col("batch") > position).sort(
            "batch", "matured_at"
        )

    def _advance(
        self,
        state: WatchState,
        live: Release,
        model: Model,
        position: int,
        rows: pl.DataFrame,
        lease: Lease | None,
    ) -> list[Incident]:
        now = self.workspace.clock.now()
        state, findings, incidents = advance(state, self.product, model, rows, release=live.id, at=now)
        memory = Progress(
            id=PROGRESS,
            product=self.product.name,
            position=position,
            at=now,
            state=to_plain(state),
        )
        with self.workspace.metadata.begin() as transaction:
            if lease is not None:
                transaction.guard(lease)
            transaction.put(memory)
            store_findings(transaction, findings, incidents)
        return incidents


def _state(product: Product, live: Release, model: Model, progress: Progress | None) -> WatchState:
    if progress is None:
        return _begun(product, live, model)
    state = from_plain(progress.state)
    return state if state.release == live.id else _begun(product, live, model)


def _begun(product: Product, live: Release, model: Model) -> WatchState:
    return start(product, model, release=live.id, horizon=timedelta(seconds=model.longest_wait))

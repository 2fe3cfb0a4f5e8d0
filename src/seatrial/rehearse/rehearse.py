"""A rehearsal: the loop on replayed history, compared with simpler policies on the same rows."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import polars as pl

from seatrial.cycle.reconcile import Reconciler
from seatrial.cycle.retrain import Workshop, fit_model, published_lookups, release_model, take_snapshot
from seatrial.cycle.stages import approve
from seatrial.errors import DataRefused, GateClosed
from seatrial.facts.estimate import Estimate
from seatrial.facts.job import Job
from seatrial.facts.model import Model
from seatrial.facts.rehearsal import LoopEvent, PolicyResult, RehearsalReport
from seatrial.facts.release import Phase
from seatrial.facts.tables import table_name
from seatrial.measures.blocks import mean
from seatrial.ports.runtime import Scorer
from seatrial.product.product import MATURED_AT, Product
from seatrial.rehearse.policies import Trainer, constant, modelled, monthly, refit, result, valued
from seatrial.rehearse.replay import Replay, Scratch
from seatrial.value.answered import answered
from seatrial.value.ledger import current

TRAINING_TAKES = timedelta(hours=1)


def rehearse(
    product: Product,
    scratch: Scratch,
    *,
    start: datetime,
    end: datetime,
    on_event: Callable[[LoopEvent], None],
    on_day: Callable[[datetime, int], None],
    on_phase: Callable[[str], None],
) -> RehearsalReport:
    """The report of replaying [start, end). The scratch workspace's clock must stand at or before `start`.

    Raises GateClosed when the gates refuse even the first model, DataRefused when no example matured by `start`.
    """
    began = time.perf_counter()
    scratch.clock.advance_to(start)
    workshop = Workshop(product, scratch.workspace, scratch.tools)
    first = _first_release(workshop, scratch, start)
    reconciler = Reconciler(
        product, scratch.workspace, scratch.tools, holder="rehearsal", training_takes=TRAINING_TAKES
    )
    events: list[LoopEvent] = []

    def keep(event: LoopEvent) -> None:
        events.append(event)
        on_event(event)

    replay = Replay(product, scratch, reconciler, on_event=keep, on_day=on_day)
    rows = replay.requests(start, end)
    if rows.is_empty():
        raise DataRefused(
            f"{product.name}: no example was decided between {start} and {end}; choose other dates"
        )
    last_matured = rows[MATURED_AT].max()
    assert isinstance(last_matured, datetime)
    compared = _Comparison(product, scratch, rows, first)
    replay.run(start, end, settle_until=last_matured + timedelta(days=1))
    # Not beside the replay: its many small steps would queue for the interpreter behind the fits.
    on_phase("comparing with simpler policies on the same rows …")
    refitted, refits = compared.monthly(refit(workshop, scratch.history))
    policies, per_row = compared.results(refitted, refits)
    totals = reconciler.settlement.totals if reconciler.settlement else None
    return RehearsalReport(
        id=f"{start:%Y%m%d}-{end:%Y%m%d}",
        product=product.name,
        at=scratch.clock.now(),
        began=start,
        ended=end,
        rows=replay.counts.rows,
        batches=replay.counts.batches,
        seconds=round(time.perf_counter() - began, 2),
        unit=product.objective.section.unit,
        policies=policies,
        events=tuple(events),
        counts={**vars(replay.counts), **(msgspec.to_builtins(totals) if totals else {})},
        value_per_row=per_row,
    )


def _first_release(workshop: Workshop, scratch: Scratch, start: datetime) -> Model:
    """The prototype refitted on the past alone, live."""
    snapshot = take_snapshot(workshop, scratch.history, as_of=start)
    model = fit_model(workshop, snapshot, why="the prototype, refitted on what had matured at the start")
    release = release_model(workshop, model, snapshot, published_lookups(workshop), why="first release")
    if release.phase is Phase.CANDIDATE:
        # Nobody can be asked in a replay; what it shows is what comes after a person said yes.
        release = approve(scratch.workspace, release.product, release.id, actor="rehearsal")
    if release.phase is not Phase.LIVE:
        raise GateClosed([release.why], name=f"first release of {workshop.product.name}")
    return model


@dataclass(frozen=True)
class _Comparison:
    """All policies on the same rows."""

    product: Product
    scratch: Scratch
    rows: pl.DataFrame
    first: Model

    def monthly(self, train: Trainer) -> tuple[pl.Series, int]:
        """Decisions of monthly refits, and how many there were."""
        return monthly(self.product, self.rows, self.first, train, self._load)

    def results(self, refitted: pl.Series, refits: int) -> tuple[tuple[PolicyResult, ...], Estimate]:
        """A line per policy, and the loop's value per row: the promise that the ledger is held to later."""
        product, rows = self.product, self.rows
        frozen = modelled(product, rows, self._load(self.first), self.first.threshold)
        loop, acted = self._loop()
        frozen_values = valued(product, rows, frozen)
        never = constant(product, rows, act=False)

        def line(policy: str, values: pl.Series, acted: int, retrainings: int = 0) -> PolicyResult:
            return result(policy, product, rows, values, frozen_values, acted=acted, retrainings=retrainings)

        policies = (
            line("no_model", never, 0),
            line("act_always", constant(product, rows, act=True), rows.height),
            line(
                "baseline", valued(product, rows, product.baseline(rows)), int(product.baseline(rows).sum())
            ),
            line("frozen", frozen_values, int(frozen.sum())),
            line("monthly", valued(product, rows, refitted), int(refitted.sum()), refits),
            line("loop", loop, acted, self._retrainings()),
            line("oracle", *self._oracle(never)),
        )
        return policies, mean(loop.to_numpy(), product.block(rows[product.made_at]).to_numpy())

    def _loop(self) -> tuple[pl.Series, int]:
        """What the ledger booked, per row; rows without an outcome or an answer are worth nothing."""
        name = table_name(self.product.name, "ledger")
        booked = answered(current(self.scratch.workspace.tables.read(name)))
        keyed = self.rows.select(pl.col(self.product.key).cast(pl.String).alias("key"))
        joined = keyed.join(booked.select("key", "value"), on="key", how="left", maintain_order="left")
        return joined["value"].fill_null(0.0), int(booked["decision"].sum())

    def _oracle(self, never: pl.Series) -> tuple[pl.Series, int]:
        """The best decision of each row in hindsight: what no policy can exceed."""
        always = constant(self.product, self.rows, act=True)
        act = always > never
        return pl.Series(always).zip_with(act, never), int(act.sum())

    def _retrainings(self) -> int:
        with self.scratch.workspace.metadata.begin() as transaction:
            return len(transaction.all(Job, self.product.name))

    def _load(self, model: Model) -> Scorer:
        return self.scratch.tools.runtime.load(self.scratch.workspace.artifacts.get(model.artifact))

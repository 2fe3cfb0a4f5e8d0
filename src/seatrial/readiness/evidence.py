"""What the 28 tests look at: recorded state of one product, gathered once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import polars as pl

from seatrial.data.snapshot import load_snapshot
from seatrial.facts.finding import Finding, Incident
from seatrial.facts.logbook import LogEntry
from seatrial.facts.model import Model
from seatrial.facts.prediction import Variant
from seatrial.facts.rehearsal import RehearsalReport
from seatrial.facts.release import Phase, Release
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import table_name
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product

# Enough rows to run checks and comparisons on, few enough to do it on every page that asks.
SAMPLE_ROWS = 500
FINDINGS = 2000

FactT = TypeVar("FactT")


@dataclass(frozen=True)
class Served:
    """What the predictions table holds: answers per contract version, fallbacks, scores outside [0, 1]."""

    rows: int = 0
    last_at: datetime | None = None
    by_contract: dict[str, int] = field(default_factory=dict)
    fallbacks: int = 0
    impossible_scores: int = 0


@dataclass(frozen=True)
class Booked:
    """What the ledger holds: rows, those with a known outcome, and the last settlement."""

    rows: int = 0
    labelled: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True)
class Evidence:
    """One product's recorded state at `now`.

    `sample` is the newest rows of the last snapshot; `logged` the features that serving recorded for rows of
    the same keys, in columns `key` and `feature_*`. Both are empty frames when there are none.
    """

    product: Product
    now: datetime
    snapshot: Snapshot | None = None
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)
    logged: pl.DataFrame = field(default_factory=pl.DataFrame)
    models: tuple[Model, ...] = ()
    releases: tuple[Release, ...] = ()
    findings: tuple[Finding, ...] = ()
    incidents: tuple[Incident, ...] = ()
    logbook: tuple[LogEntry, ...] = ()
    rehearsal: RehearsalReport | None = None
    served: Served = Served()
    booked: Booked = Booked()

    @property
    def live(self) -> Release | None:
        """The release in the live phase, or None."""
        return next((release for release in self.releases if release.phase is Phase.LIVE), None)

    @property
    def model(self) -> Model | None:
        """The live release's model; before anything is live, the newest one; None without models."""
        wanted = self.live.bundle.model if self.live else None
        newest = self.models[-1] if self.models else None
        return next((model for model in self.models if model.id == wanted), newest)

    def entries(self, *kinds: str) -> list[LogEntry]:
        """Entries of the product's logbook of one of the kinds, oldest first."""
        return [entry for entry in self.logbook if entry.kind in kinds]


def gather(workspace: Workspace, product: Product) -> Evidence:
    """The evidence: metadata as of one transaction, and the tables and the last snapshot read after it.

    Raises IntegrityBroken when the last snapshot's bytes do not match their digest.
    """
    with workspace.metadata.begin() as transaction:
        recorded = _recorded(transaction, product, workspace.clock.now())
    sample = _sample(workspace, product, recorded.snapshot)
    return replace(
        recorded,
        sample=sample,
        logged=_logged(workspace, product, sample),
        served=_served(workspace, product.name),
        booked=_booked(workspace, product.name, recorded.models),
    )


def _recorded(transaction: Transaction, product: Product, now: datetime) -> Evidence:
    name = product.name
    return Evidence(
        product=product,
        now=now,
        snapshot=_newest(transaction.all(Snapshot, name, limit=1)),
        models=tuple(transaction.all(Model, name)),
        releases=tuple(transaction.all(Release, name)),
        findings=tuple(transaction.all(Finding, name, limit=FINDINGS)),
        incidents=tuple(transaction.all(Incident, name)),
        logbook=tuple(transaction.logbook(name)),
        rehearsal=_newest(transaction.all(RehearsalReport, name, limit=1)),
    )


def _newest(facts: Sequence[FactT]) -> FactT | None:
    return facts[-1] if facts else None


def _sample(workspace: Workspace, product: Product, snapshot: Snapshot | None) -> pl.DataFrame:
    if snapshot is None:
        return pl.DataFrame()
    rows = load_snapshot(snapshot, workspace.tables)
    return rows.sort(product.made_at, product.key).tail(SAMPLE_ROWS)


def _logged(workspace: Workspace, product: Product, sample: pl.DataFrame) -> pl.DataFrame:
    if sample.is_empty():
        return pl.DataFrame()
    keys = sample[product.key].cast(pl.String).to_list()
    mine = (pl.col("product") == product.name) & (pl.col("served") != Variant.SHADOW.value)
    rows = workspace.tables.read(
        table_name(product.name, "predictions"), where=mine & pl.col("key").is_in(keys)
    )
    if rows.is_empty():
        return pl.DataFrame()
    return (
        rows.sort("received_at").unique("key", keep="last", maintain_order=True).select("key", "^feature_.*$")
    )


def _served(workspace: Workspace, product: str) -> Served:
    rows = workspace.tables.read(
        table_name(product, "predictions"),
        where=(pl.col("product") == product) & (pl.col("served") != Variant.SHADOW.value),
        columns=["contract_version", "received_at", "score", "fallback"],
    )
    if rows.is_empty():
        return Served()
    counts = rows.group_by("contract_version").len().sort("contract_version").iter_rows()
    answered = rows.filter(pl.col("fallback").is_null())["score"]
    return Served(
        rows=rows.height,
        last_at=rows.select(pl.col("received_at").max()).item(),
        by_contract=dict(counts),
        fallbacks=rows.height - answered.len(),
        impossible_scores=int((~answered.is_between(0, 1)).fill_null(True).sum()),
    )


def _booked(workspace: Workspace, product: str, models: Sequence[Model]) -> Booked:
    # The ledger names no product: its rows are told by the models that made them.
    digests = sorted({digest for model in models for digest in (model.id, model.artifact)})
    mine = pl.col("model_digest").is_in(digests) & (pl.col("served") != Variant.SHADOW.value)
    columns = ["prediction_id", "label", "settled_at"]
    rows = workspace.tables.read(table_name(product, "ledger"), where=mine, columns=columns)
    if rows.is_empty():
        return Booked()
    last = rows.sort("settled_at", "label", nulls_last=False).unique("prediction_id", keep="last")
    return Booked(
        rows=last.height,
        labelled=last.height - last["label"].null_count(),
        last_at=last.select(pl.col("settled_at").max()).item(),
    )

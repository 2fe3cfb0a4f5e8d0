"""The daily look at predictions themselves, before any outcome: data faults, label-free estimates, drift."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl

from seatrial.cycle.aside import LASTING
from seatrial.cycle.drain import predictions_schema
from seatrial.cycle.publish import newest_told
from seatrial.cycle.settle import stored_rows
from seatrial.errors import IntegrityBroken, NotFound
from seatrial.facts.finding import Finding, Incident
from seatrial.facts.job import Lease, Progress
from seatrial.facts.lookups import CURRENT, LookupTables, PublishedLookup
from seatrial.facts.model import Model
from seatrial.facts.release import Release
from seatrial.facts.tables import table_name
from seatrial.observe.drift import drift
from seatrial.observe.estimate import estimate
from seatrial.observe.faults import STALE, faults, stale_lookups
from seatrial.observe.window import Window
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.lookup_files import published_table
from seatrial.product.product import Product
from seatrial.product.reference import decode_reference
from seatrial.product.staleness import Staleness, freshness_bound, staleness
from seatrial.release.phases import live_release

PROGRESS = "survey"
DAY = timedelta(days=1)
# A day is too short to tell a shift of the mix from the weather; a week has every weekday once.
DRIFT_DAYS = 7
LEDGER_DAYS = 30


@dataclass
class Survey:
    """Looks once per UTC day at the day before, and once a week at the week before."""

    workspace: Workspace
    product: Product

    def take_in(self, lease: Lease | None) -> list[Incident]:
        """New data-fault incidents; nothing when this day was looked at before, or nothing is live."""
        now = self.workspace.clock.now()
        today = datetime(now.year, now.month, now.day, tzinfo=UTC)
        with self.workspace.metadata.begin() as transaction:
            progress = transaction.get(Progress, self.product.name, PROGRESS)
            live = live_release(transaction, self.product.name)
            model = transaction.get(Model, self.product.name, live.bundle.model) if live else None
            known = [i for i in transaction.all(Incident, self.product.name) if i.closed_at is None]
            published = transaction.get(LookupTables, self.product.name, CURRENT)
        if live is None or model is None or (progress is not None and progress.position >= today.toordinal()):
            return []
        findings, incidents, seen = self._look(live, model, today, known)
        stale, aged = stale_lookups(
            self.product,
            self._staleness(published, now),
            release=live.id,
            window=Window(since=today - DAY, until=today, at=now),
            open_incidents=known,
        )
        findings, incidents = [*findings, *stale], [*incidents, *aged]
        with self.workspace.metadata.begin() as transaction:
            if lease is not None:
                transaction.guard(lease)
            transaction.put(
                Progress(id=PROGRESS, product=self.product.name, position=today.toordinal(), at=now)
            )
            store_findings(transaction, findings, incidents)
            # A day without traffic tells nothing of the features, but lookups have their age all the same.
            looked_at = known if seen else [one for one in known if one.measure.startswith(STALE)]
            _close_recovered(transaction, looked_at, findings, now)
        return incidents

    def _look(
        self, live: Release, model: Model, today: datetime, known: list[Incident]
    ) -> tuple[list[Finding], list[Incident], bool]:
        now = self.workspace.clock.now()
        weekly = today.weekday() == 0
        since = today - timedelta(days=DRIFT_DAYS if weekly else 1)
        rows = self._predictions(live, since, today)
        if rows.is_empty():
            return [], [], False
        reference = decode_reference(self.workspace.artifacts.get(model.reference))
        day = Window(since=today - DAY, until=today, at=now)
        findings, incidents = faults(
            self.product, reference, rows, release=live.id, window=day, open_incidents=known
        )
        findings += estimate(
            self.product, model, rows, release=live.id, window=day, ledger=self._ledger(live, today)
        )
        if weekly:
            week = Window(since=since, until=today, at=now)
            findings += drift(self.product, model, reference, rows, release=live.id, window=week)
        return findings, incidents, not day.rows(rows, live.id).is_empty()

    def _staleness(self, published: LookupTables | None, now: datetime) -> list[Staleness]:
        """The age of every published lookup whose contract bounds it."""
        lookups = published.lookups if published else {}
        return [
            staleness(self.product, name, self._newest(one, now), now)
            for name, one in lookups.items()
            if name in self.product.lookup_names and freshness_bound(self.product, name) is not None
        ]

    def _newest(self, published: PublishedLookup, now: datetime) -> datetime | None:
        try:
            return newest_told(published_table(published, self.workspace.artifacts), now)
        except (NotFound, IntegrityBroken):
            # Erased a moment ago and not published anew yet; the record of the publication is left.
            return published.newest_at(now)

    def _predictions(self, live: Release, since: datetime, until: datetime) -> pl.DataFrame:
        inside = pl.col("made_at").is_between(since, until, closed="left") & (pl.col("release") == live.id)
        table = table_name(self.product.name, "predictions")
        return stored_rows(self.workspace.tables.read(table, where=inside), predictions_schema(self.product))

    def _ledger(self, live: Release, today: datetime) -> pl.DataFrame | None:
        recent = (pl.col("made_at") >= today - timedelta(days=LEDGER_DAYS)) & (pl.col("release") == live.id)
        ledger = self.workspace.tables.read(table_name(self.product.name, "ledger"), where=recent)
        return ledger if ledger.width else None


def store_findings(transaction: Transaction, findings: list[Finding], incidents: list[Incident]) -> None:
    """Store what was found; each incident opens with a logbook entry."""
    for finding in findings:
        transaction.put(finding)
    for incident in incidents:
        transaction.put(incident)
        body = {
            "release": incident.release,
            "measure": incident.measure,
            "cause": incident.cause,
            "began_at": incident.began_at.isoformat(),
            "cost_per_day": incident.cost_per_day,
        }
        transaction.log(product=incident.product, kind="incident opened", subject=incident.id, body=body)


def _close_recovered(
    transaction: Transaction, known: list[Incident], findings: list[Finding], now: datetime
) -> None:
    """Close the faults whose measure no longer alarms."""
    alarming = {finding.measure for finding in findings if finding.verdict == "alarm"}
    for incident in known:
        if incident.kind == "fault" and incident.measure not in {*alarming, *LASTING}:
            transaction.put(msgspec.structs.replace(incident, closed_at=now, closed_by="recovered"))
            body = {"by": "recovered"}
            transaction.log(product=incident.product, kind="incident closed", subject=incident.id, body=body)

"""Everything the console shows of a product, gathered in one transaction: the body of its API and its page."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from seatrial.errors import NotFound
from seatrial.facts.finding import Finding, Incident, Verdict
from seatrial.facts.logbook import LogEntry, chain_faults
from seatrial.facts.model import Model
from seatrial.facts.readiness import Readiness
from seatrial.facts.rehearsal import RehearsalReport
from seatrial.facts.release import Phase, Release
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.statement import Statement
from seatrial.ports.metadata import Transaction
from seatrial.release.phases import OPEN
from seatrial.web.console.console import Console

FactT = TypeVar("FactT")

FINDINGS_READ = 1000
FINDINGS_SHOWN = 20
ENTRIES_SHOWN = 25

_URGENCY = {Verdict.ALARM: 0, Verdict.SHOWN: 1, Verdict.OK: 2, Verdict.NOT_ENOUGH_DATA: 3}


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One product in the list: its live release, the one on trial, open incidents and readiness."""

    product: str
    live: Release | None
    trial: Release | None
    releases: int
    open_incidents: int
    readiness: Readiness | None


class Logbook(msgspec.Struct, frozen=True, kw_only=True):
    """The product's newest entries, newest first; `faults` says where the workspace's whole chain is broken."""

    entries: tuple[LogEntry, ...]
    total: int
    verified: int
    faults: tuple[str, ...]


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One product at the moment `at`. Releases are newest first; of findings, the last of each measure."""

    product: str
    at: datetime
    live: Release | None
    trial: Release | None
    model: Model | None
    models: int
    snapshot: Snapshot | None
    releases: tuple[Release, ...]
    open_incidents: tuple[Incident, ...]
    closed_incidents: tuple[Incident, ...]
    findings: tuple[Finding, ...]
    readiness: Readiness | None
    rehearsal: RehearsalReport | None
    logbook: Logbook
    statement: Statement | None


def summaries(console: Console) -> list[Summary]:
    """Every product that the workspace has heard of, by name."""
    with console.workspace.metadata.begin() as transaction:
        return [_summary(transaction, name) for name in _names(transaction)]


def picture(console: Console, product: str) -> Picture:
    """The product's picture. Raises NotFound for a product the workspace has never heard of."""
    with console.workspace.metadata.begin() as transaction:
        if product not in _names(transaction):
            raise NotFound(f"no product {product} in this workspace; `seatrial status` lists what there is")
        facts = _facts(transaction, product)
    return Picture(
        product=product,
        at=console.workspace.clock.now(),
        statement=console.statement(product),
        **facts,
    )


def _names(transaction: Transaction) -> list[str]:
    named = {entry.product for entry in transaction.logbook()}
    named |= {release.product for release in transaction.all(Release)}
    named |= {snapshot.product for snapshot in transaction.all(Snapshot)}
    return sorted(named - {""})


def _summary(transaction: Transaction, product: str) -> Summary:
    releases = transaction.all(Release, product)
    incidents = transaction.all(Incident, product)
    return Summary(
        product=product,
        live=_in_phase(releases, Phase.LIVE),
        trial=_in_phase(releases, *OPEN),
        releases=len(releases),
        open_incidents=sum(incident.closed_at is None for incident in incidents),
        readiness=_last(transaction.all(Readiness, product, limit=1)),
    )


def _facts(transaction: Transaction, product: str) -> dict[str, Any]:
    releases = transaction.all(Release, product)
    models = transaction.all(Model, product)
    incidents = sorted(
        transaction.all(Incident, product), key=lambda incident: incident.began_at, reverse=True
    )
    live = _in_phase(releases, Phase.LIVE)
    return {
        "live": live,
        "trial": _in_phase(releases, *OPEN),
        "model": next((model for model in models if live and model.id == live.bundle.model), None),
        "models": len(models),
        "snapshot": _last(transaction.all(Snapshot, product, limit=1)),
        "releases": tuple(reversed(releases)),
        "open_incidents": tuple(incident for incident in incidents if incident.closed_at is None),
        "closed_incidents": tuple(incident for incident in incidents if incident.closed_at is not None),
        "findings": latest(transaction.all(Finding, product, limit=FINDINGS_READ)),
        "readiness": _last(transaction.all(Readiness, product, limit=1)),
        "rehearsal": _last(transaction.all(RehearsalReport, product, limit=1)),
        "logbook": _logbook(transaction.logbook(), product),
    }


def latest(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The last finding of each measure, segment and release: alarms first, then the newest."""
    last = {(finding.measure, finding.segment, finding.release): finding for finding in findings}
    ranked = sorted(last.values(), key=lambda finding: (_URGENCY[finding.verdict], -finding.at.timestamp()))
    return tuple(ranked[:FINDINGS_SHOWN])


def _logbook(entries: list[LogEntry], product: str) -> Logbook:
    mine = [entry for entry in entries if entry.product == product]
    return Logbook(
        entries=tuple(reversed(mine[-ENTRIES_SHOWN:])),
        total=len(mine),
        verified=len(entries),
        faults=tuple(chain_faults(entries)),
    )


def _in_phase(releases: list[Release], *phases: Phase) -> Release | None:
    return next((release for release in releases if release.phase in phases), None)


def _last(facts: list[FactT]) -> FactT | None:
    return facts[-1] if facts else None

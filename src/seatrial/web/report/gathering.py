"""The data report's contents, gathered from facts, profiles and the quarantine."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import polars as pl

from seatrial.contract.masking import masked_quarantine
from seatrial.data.lineage import Lineage, lineage
from seatrial.data.profiles import moment, stored_profile
from seatrial.data.provenance import Recorded, recorded
from seatrial.data.quarantine import counts, open_rows
from seatrial.errors import NotFound
from seatrial.facts.finding import Incident
from seatrial.facts.job import Job
from seatrial.facts.load import DONE, Load
from seatrial.facts.model import Model
from seatrial.facts.profile import TableProfile
from seatrial.facts.release import Phase
from seatrial.facts.snapshot import RuleResult, Snapshot
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.metadata import Transaction
from seatrial.ports.tables import Tables
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.web.report.arrivals import arrivals
from seatrial.web.report.columns import Columns, Profiles
from seatrial.web.report.concerns import concerns_of, failed, faults, is_moved, refused
from seatrial.web.report.readings import readings, result_of, trend_of
from seatrial.web.report.views import AsideView, Concern, LookupView, Point, Report, RuleView, SourceView

EXAMPLES_SHOWN = 3


def gathered(workspace: Workspace, product: Product) -> Report:
    """The report at the workspace's clock. Raises NotFound when no source was ever read."""
    with workspace.metadata.begin() as transaction:
        facts = recorded(transaction, product.name)
        incidents = [one for one in transaction.all(Incident, product.name) if one.closed_at is None]
        jobs = transaction.all(Job, product.name, limit=1)
        logbook = transaction.logbook(product.name)
        drawn = _drawn(transaction, workspace.tables, product.name) if facts.loads else None
    gathering = Gathering(product, facts, workspace.tables, workspace.artifacts, workspace.clock.now())
    failures = [*refused(logbook, gathering.loads, incidents), *faults(incidents), *failed(jobs)]
    return gathering.report(drawn, failures)


def _drawn(transaction: Transaction, tables: Tables, product: str) -> Lineage:
    """The whole way from the sources to the live release, or as far as anything came."""
    return lineage(transaction, tables, product)


class Gathering:
    """The facts of one product at one moment, and what can be read off them."""

    def __init__(
        self, product: Product, facts: Recorded, tables: Tables, artifacts: Artifacts, at: datetime
    ) -> None:
        self.product, self.tables, self.at = product, tables, at
        self.facts = facts
        self.loads = _by_source(facts.loads)
        self._artifacts = artifacts
        self._profiles: dict[str, TableProfile | None] = {}

    def report(self, drawn: Lineage | None, failures: Sequence[Concern]) -> Report:
        """All of it, with what else failed. Raises NotFound when no source was ever read."""
        if not self.loads:
            raise NotFound(f"nothing of {self.product.name} was read yet; `seatrial data` reads its sources")
        snapshots = self.facts.snapshots
        model = self._model()
        profiles = self._profiles_of(model)
        columns = Columns(self.product, model, self.loads, self._profile)
        shown = Report(
            product=self.product.name,
            purpose=self.product.file.purpose,
            at=self.at,
            snapshot=snapshots[-1] if snapshots else None,
            previous=snapshots[-2] if len(snapshots) > 1 else None,
            reference=self._reference(model),
            reference_model=model.id if model else "",
            concerns=(),
            sources=tuple(self._sources()),
            rules=tuple(self._rules()),
            aside=tuple(self._aside()),
            columns=tuple(columns.views(profiles)) if profiles else (),
            fresh=profiles.fresh.rows if profiles and profiles.fresh else None,
            lookups=tuple(self._lookups()),
            lineage=drawn,
        )
        arrived = arrivals(self.product, self.loads, self._profile, self._told(shown))
        found = concerns_of(shown, self.facts, model, [*failures, *arrived])
        return msgspec.structs.replace(shown, concerns=found)

    def _told(self, shown: Report) -> set[str]:
        """Columns, as `source.column`, whose change is told of the snapshot: it holds their newest reading."""
        read = {one.load for one in shown.snapshot.sources} if shown.snapshot else set()
        held = {name for name, loads in self.loads.items() if loads[-1].id in read}
        moved = {column.origin.split(",")[0] for column in shown.columns if is_moved(column)}
        return {name for name in moved if name.partition(".")[0] in held}

    def _profile(self, digest: str) -> TableProfile | None:
        if digest not in self._profiles:
            self._profiles[digest] = stored_profile(self._artifacts, digest)
        return self._profiles[digest]

    def _model(self) -> Model | None:
        """The live release's model, else the newest."""
        live = {release.bundle.model for release in self.facts.releases if release.phase == Phase.LIVE}
        models = self.facts.models
        return next((model for model in models if model.id in live), models[-1] if models else None)

    def _reference(self, model: Model | None) -> Snapshot | None:
        if model is None:
            return None
        return next((one for one in self.facts.snapshots if one.id == model.snapshot), None)

    def _sources(self) -> Iterator[SourceView]:
        for name, loads in self.loads.items():
            clock, limit = self._clock(name)
            newest = self._newest(name, clock)
            yield SourceView(
                name=name,
                kind=loads[-1].kind,
                origin=loads[-1].origin,
                loads=tuple(loads),
                last=readings(loads)[-1],
                newest=newest,
                clock=clock,
                age=(self.at - newest).total_seconds() if newest else None,
                limit=limit,
            )

    def _clock(self, source: str) -> tuple[str, float | None]:
        """The column that tells how fresh a source is and, where its contract says, how old that may be."""
        table = self.product.contract.table(source)
        if table is None:
            return "", None
        if table.freshness:
            tightest = min(table.freshness, key=lambda one: one.seconds)
            return tightest.column, tightest.seconds
        if source == self.product.file.examples.source:
            return self.product.made_at, None
        looked_up = [self.product.lookup(name).as_of for name in self._lookups_of(source)]
        return next(filter(None, looked_up), ""), None

    def _lookups_of(self, source: str) -> list[str]:
        return [n for n in self.product.lookup_names if self.product.lookup_source(n) == source]

    def _newest(self, source: str, clock: str) -> datetime | None:
        loads = self.loads.get(source)
        profile = self._profile(loads[-1].profile) if loads else None
        column = profile.column(clock) if profile else None
        return moment(column.maximum) if column and column.maximum is not None else None

    def _rules(self) -> Iterator[RuleView]:
        """The rules of every source's newest reading, those that failed most first."""
        views = [
            _rule_view(rule, readings(loads)) for loads in self.loads.values() for rule in loads[-1].rules
        ]
        yield from sorted(views, key=lambda view: (-view.share, view.source, view.rule))

    def _aside(self) -> Iterator[AsideView]:
        """The open rows of the quarantine by rule, most first."""
        rows = open_rows(self.tables, self.product.name)
        for source, rule, count, *_ in counts(rows).iter_rows():
            mine = rows.filter((pl.col("source") == source) & (pl.col("rule") == rule))
            shown = masked_quarantine(self.product.contract, mine.tail(EXAMPLES_SHOWN))
            yield AsideView(
                source=source,
                rule=rule,
                expected=mine["expected"][-1] or "",
                rows=count,
                trend=tuple(self._aside_trend(source, mine)),
                examples=tuple(zip(shown["received"], shown["row"], strict=True)),
            )

    def _aside_trend(self, source: str, rows: pl.DataFrame) -> Iterator[Point]:
        waiting = dict(rows.group_by("load").len().iter_rows())
        for reading in readings(self.loads.get(source, [])):
            found = sum(waiting.get(load.number, 0) for load in reading)
            yield Point(at=reading[-1].read_at, value=float(found), note=reading[-1].id)

    def _profiles_of(self, model: Model | None) -> Profiles | None:
        """The profiles that columns are told from; None before the first snapshot."""
        found = [self._profile(snapshot.profile) for snapshot in self.facts.snapshots[-2:]]
        if not found or found[-1] is None:
            return None
        reference = self._reference(model)
        return Profiles(
            newest=found[-1],
            before=found[0] if len(found) > 1 else None,
            learnt=self._profile(reference.profile) if reference else None,
        )

    def _lookups(self) -> Iterator[LookupView]:
        for name, names in self.product.lookup_names.items():
            source = self.product.lookup_source(name)
            clock, limit = self._clock(source)
            newest = self._newest(source, self.product.lookup(name).as_of or clock)
            yield LookupView(
                name=name,
                source=source,
                columns=tuple(names.values()),
                newest=newest,
                age=(self.at - newest).total_seconds() if newest else None,
                limit=limit,
            )


def _by_source(loads: Sequence[Load]) -> dict[str, list[Load]]:
    found: dict[str, list[Load]] = {}
    for load in loads:
        if load.state == DONE:
            found.setdefault(load.source, []).append(load)
    return found


def _rule_view(rule: RuleResult, read: Sequence[Sequence[Load]]) -> RuleView:
    now = result_of(rule.rule, read[-1]) or rule
    return RuleView(
        source=now.source,
        rule=now.rule,
        severity=now.severity,
        rows=now.rows,
        failed=now.failed,
        detail=now.detail,
        trend=trend_of(now.rule, read),
    )

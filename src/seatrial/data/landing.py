"""Sources landed: read after where the last reading stopped, checked, compared, and stored as changes.

A reading that is killed anywhere goes on where it stopped: no row is lost, none is taken in twice. One process
lands at a time; the caller holds the lease.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.check import refuse_when_thinned
from seatrial.contract.diff import refuse_breaking
from seatrial.contract.model import TableContract
from seatrial.contract.odcs import read_contract
from seatrial.contract.profile import from_json, merge, profile_table
from seatrial.contract.set_rules import freshness_results, refuse_broken, set_results
from seatrial.data.changes import applied, standing, state
from seatrial.data.delivered import ENOUGH_ROWS, Taken, Terms
from seatrial.data.loads import committed, committed_but_pending, last_load
from seatrial.data.merging import changes_of, in_columns, joined, news
from seatrial.data.ports import Delivery, SourceReader
from seatrial.data.quarantine import gone, newly, open_rows, settled
from seatrial.data.read import raise_together, sources_in_order
from seatrial.data.recording import PUT_ASIDE_BEFORE, RECHECK, REPLAY, Changes, Recorder, counts, with_aside
from seatrial.data.replay import Replay, plan_replay
from seatrial.errors import DataRefused, SeatrialError, SourceFailed
from seatrial.facts.erasure import Erasure
from seatrial.facts.load import Load
from seatrial.facts.profile import TableProfile
from seatrial.facts.quarantine import Correction
from seatrial.facts.snapshot import RuleResult
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product

REFUSED = "source refused"
# Settled by a whole delivery: the row came no more, or sound.
DELIVERED_ANEW = "delivered anew without it"


def _nothing(_: object) -> None:
    """Stands for a guard without a lease, and for a listener that is not there."""


@dataclass
class Landing:
    """Lands the sources of one product. `guard` refuses to write once the lease is lost; `say` hears of each load.

    `latest` tells the time that no decision or outcome may lie much after; by default the workspace's own.
    """

    product: Product
    reader: SourceReader
    workspace: Workspace
    latest: Callable[[], datetime] | None = None
    guard: Callable[[Transaction], None] = _nothing
    say: Callable[[str], None] = _nothing
    _states: dict[str, pl.DataFrame] = field(default_factory=dict)

    def land(self, only: Collection[str] | None = None) -> tuple[Load, ...]:
        """The loads that were made; none of a source that delivers nothing new.

        Raises SourceFailed when a source cannot be read, DataRefused when one breaks the contract too much,
        ContractInvalid when the contract was broken without a new major version; with several failures, one
        error tells them all, and the other sources are landed all the same.
        """
        made: list[Load] = []
        failures: list[SeatrialError] = []
        for name in sources_in_order(self.product):
            if only is None or name in only:
                try:
                    made += _SourceLanding(self, name).run()
                except (SourceFailed, DataRefused) as error:
                    self._note(name, error)
                    failures.append(error)
        raise_together(failures)
        return tuple(made)

    def _note(self, name: str, error: SeatrialError) -> None:
        with self.workspace.metadata.begin() as transaction:
            self.guard(transaction)
            body = {"code": error.code, "reason": str(error)}
            transaction.log(product=self.product.name, kind=REFUSED, subject=name, body=body)

    def rows(self, name: str) -> pl.DataFrame:
        """The rows of a source as they stand now; empty when none was ever landed."""
        if name not in self._states:
            with self.workspace.metadata.begin() as transaction:
                last = last_load(transaction, self.product.name, name)
            self._states[name] = state(committed(self.workspace.tables, last)) if last else pl.DataFrame()
        return self._states[name]

    def keep(self, name: str, rows: pl.DataFrame) -> None:
        """Remember the rows of a source after a load."""
        self._states[name] = rows


class _SourceLanding:
    """One source's part."""

    def __init__(self, landing: Landing, name: str) -> None:
        self.landing, self.name = landing, name
        self.product, self.workspace = landing.product, landing.workspace
        self.source = self.product.file.sources[name]
        table = self.product.contract.table(name)
        assert table is not None  # a product whose contract lacks a source is not read
        self.table: TableContract = table
        self.recorder = Recorder(self.product, self.workspace, name, landing.guard)
        self.recovered: Load | None = None
        with self.workspace.metadata.begin() as transaction:
            self.last = self._recovered(transaction)
            corrections = transaction.all(Correction, self.product.name)
            erasures = transaction.all(Erasure, self.product.name)
        self.terms = Terms(self.product, table, self.product.contract.version, corrections, erasures)

    def _recovered(self, transaction: Transaction) -> Load | None:
        """The last load; one that was killed after its commit is recorded now."""
        tables, name = self.workspace.tables, self.product.name
        if found := committed_but_pending(transaction, tables, name, self.name):
            self.landing.guard(transaction)
            self.recovered = self.recorder.done(transaction, found)
            return self.recovered
        return last_load(transaction, name, self.name)

    def run(self) -> Iterator[Load]:
        if self.recovered is not None:
            yield self.recovered
        changed = self._contract_changed()
        incremental = self.source.incremental is not None
        if changed and incremental:
            yield from self._recheck()
        if self.last is not None and self.last.kind == RECHECK:
            yield from self._replay()
        same = self.last is not None and self.last.declaration == self.recorder.declaration
        goes_on = same and (incremental or not changed)
        since = self.last.position if self.last is not None and goes_on else None
        found = self.landing.reader.read(self.name, self.source, self.product.folder, since=since)
        for delivery in joined(found, self.name, incremental=incremental):
            yield from self._take(delivery, self.source.kind)
        if self.last is None:
            raise DataRefused(
                f"source {self.name}: it delivered no table at all, expected one, even without rows"
            )

        self._refuse_stale()

    def _refuse_stale(self) -> None:
        """Raises DataRefused when the newest row is older than agreed, also where nothing new was delivered.

        Asked when everything is read, and not of each delivery: sound rows are no worse for being old.
        """
        rows = self.landing.rows(self.name)
        refuse_broken(freshness_results(self.table, rows, at=self.workspace.clock.now()))

    def _contract_changed(self) -> bool:
        """Whether the rules of this source are others than at its last load. Raises ContractInvalid."""
        if self.last is None:
            return False
        text = self.workspace.artifacts.get(self.last.contract).decode()
        if text == self.product.texts[1]:
            return False
        before = read_contract(text)
        refuse_breaking(before, self.product.contract)
        return before.table(self.name) != self.table

    def _recheck(self) -> Iterator[Load]:
        """Rows stored under another contract are checked under this one, then those that it put aside."""
        assert self.last is not None  # there was a contract before
        stored = self.landing.rows(self.name)
        absent = [column.name for column in self.table.columns if column.name not in stored.columns]
        stored = stored.with_columns(pl.col(name).cast(pl.String) for name in self._unreadable(stored))
        origin = f"stored rows under contract {self.product.contract.version}"
        again = Delivery(
            frame=stored.with_columns(pl.lit(None).alias(name) for name in absent),
            position=self.last.position,
            whole=True,
            origin=origin,
        )
        yield from self._take(again, RECHECK)

    def _unreadable(self, stored: pl.DataFrame) -> list[str]:
        """Columns whose stored type cannot be read as the one of the contract now, unless as text."""
        kinds = {column.name: column.type for column in self.table.columns if column.name in stored.columns}
        return [
            name
            for name, kind in kinds.items()
            if isinstance(cast_column(name, kind, stored.schema[name]), str)
        ]

    def _replay(self) -> Iterator[Load]:
        """Rows in quarantine that keep the contract as it is now are taken in."""
        assert self.last is not None  # there was a load
        plan = plan_replay(
            self.table,
            self._aside(),
            standing(committed(self.workspace.tables, self.last)),
            self.terms.corrections,
            whole=False,
            contract_version=self.terms.version,
            at=self.workspace.clock.now(),
            others=self._referenced(),
            latest=self.landing.latest() if self.landing.latest else None,
        )
        rows = Delivery(frame=plan.rows, position=self.last.position, whole=False, origin=PUT_ASIDE_BEFORE)
        yield from self._take(rows, REPLAY, plan)

    def _take(self, delivery: Delivery, kind: str, plan: Replay | None = None) -> Iterator[Load]:
        at = self.workspace.clock.now()
        others = self._referenced()
        latest = self.landing.latest() if self.landing.latest else at
        taken = self.terms.take(delivery, others=others, last=self.last, at=at, latest=latest)
        changes = self._changes(delivery, taken, kind, plan)
        self._refuse_thinned_news(delivery, taken, changes)
        profile = self._profile(changes)
        results = (*taken.rules, *self._set_rules(delivery, taken, changes, profile, at))
        load = self.recorder.load(
            self.last, delivery, taken, changes, profile=profile, results=results, at=at, kind=kind
        )
        if kind == RECHECK:
            load = with_aside(load, self._aside())
        if self._is_news(load, changes):
            self.last = self.recorder.store(self.last, load, changes)
            self.landing.keep(self.name, changes.rows)
            self.landing.say(_words(self.last))
            yield self.last

    def _refuse_thinned_news(self, delivery: Delivery, taken: Taken, changes: Changes) -> None:
        """Raises DataRefused when too much of what a whole delivery newly brings is bad.

        Judged with everything that was there before, bad rows would get in by dilution.
        """
        fresh = changes.added.height + changes.newly_aside
        if delivery.whole and self.last is not None and fresh >= ENOUGH_ROWS:
            rules = news(taken.rules, rows=fresh, put_aside=changes.aside_by_rule)
            table = msgspec.structs.replace(self.table, minimum_rows=0)
            refuse_when_thinned(table, rules, rows=fresh, rejected=changes.newly_aside)

    def _referenced(self) -> dict[str, pl.DataFrame]:
        """The tables that foreign keys point to. Raises SourceFailed when one was never landed.

        Of tables that point to each other, one must come first; its keys are looked up from the next load on.
        """
        names = {key.table for key in self.table.foreign_keys if key.table != self.name}
        rows = {name: self.landing.rows(name) for name in names}
        absent = [name for name in names if not rows[name].width and not self._points_back(name)]
        if absent:
            raise SourceFailed(
                f"source {self.name} points to {', '.join(sorted(absent))}, of which nothing is stored yet; "
                "that must be read first"
            )
        return {name: frame for name, frame in rows.items() if frame.width}

    def _points_back(self, name: str) -> bool:
        table = self.product.contract.table(name)
        return table is not None and any(key.table == self.name for key in table.foreign_keys)

    def _changes(self, delivery: Delivery, taken: Taken, kind: str, plan: Replay | None) -> Changes:
        old = in_columns(self.landing.rows(self.name), taken.kept)
        redelivers = self.source.incremental is not None
        added, removed = changes_of(old, taken.kept, self.table, whole=delivery.whole, redelivers=redelivers)
        aside = self._aside()
        delivered_again = delivery.whole and kind != RECHECK
        at = self.workspace.clock.now()
        freed = gone(taken.quarantined, aside) if delivered_again else []
        ends = settled(freed, how=DELIVERED_ANEW, by="", load=None, at=at)
        return Changes(
            added=added,
            removed=removed,
            rows=applied(old, added, removed),
            fresh=newly(taken.quarantined, aside),
            ends=plan.settlements(load=None, at=at) if plan else ends,
        )

    def _aside(self) -> pl.DataFrame:
        return open_rows(self.workspace.tables, self.product.name, source=self.name)

    def _set_rules(
        self, delivery: Delivery, taken: Taken, changes: Changes, profile: TableProfile, at: datetime
    ) -> tuple[RuleResult, ...]:
        names = [name for name in self.product.file.sources if name != self.name]
        frames: Mapping[str, pl.DataFrame] = {
            self.name: changes.rows,
            **({name: self.landing.rows(name) for name in names} if _asks_others(self.table) else {}),
        }
        own = profile if delivery.whole else profile_table(taken.kept, self.table)
        results = set_results(
            self.table, frames, at=at, profile=own, reference=self._last_profile(), fresh=False
        )
        refuse_broken(results)
        return (*results, *freshness_results(self.table, changes.rows, at=at))

    def _last_profile(self) -> TableProfile | None:
        return from_json(self.workspace.artifacts.get(self.last.profile)) if self.last else None

    def _profile(self, changes: Changes) -> TableProfile:
        before = self._last_profile()
        known = [(column.name, column.type) for column in before.columns] if before else []
        present = [(column.name, column.type) for column in self.table.columns]
        if before is None or changes.removed.height or known != present:
            return profile_table(changes.rows, self.table)
        return merge(before, profile_table(changes.added, self.table)) if changes.added.height else before

    def _is_news(self, load: Load, changes: Changes) -> bool:
        last = self.last
        return (
            last is None
            or bool(load.added or load.removed or changes.fresh.height or changes.ends.height)
            or (load.position, load.contract, load.declaration)
            != (last.position, last.contract, last.declaration)
        )


def _asks_others(table: TableContract) -> bool:
    return any(rule.metric == "sql" for rule in table.set_rules)


def _words(load: Load) -> str:
    told = ", ".join(f"{count:,} {name}" for name, count in counts(load).items() if count)
    return f"{load.source}: {load.delivered:,} rows read; {told or 'nothing changed'}"

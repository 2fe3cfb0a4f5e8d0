"""Loads recorded: first as pending, then their rows, then as done, so that a kill anywhere loses nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import polars as pl

from seatrial.contract.profile import to_json
from seatrial.data.changes import CHANGE_SCHEMA, as_changes
from seatrial.data.delivered import Taken
from seatrial.data.digest import rows_digest
from seatrial.data.loads import committed, load_id, put_done, put_pending, writer_of
from seatrial.data.merging import added_up, in_columns, news
from seatrial.data.ports import Delivery
from seatrial.data.quarantine import distinct, readable
from seatrial.errors import Conflict
from seatrial.facts.load import LOST, PENDING, Load
from seatrial.facts.profile import TableProfile
from seatrial.facts.snapshot import RuleResult
from seatrial.facts.tables import source_table, table_name
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product, text_digest

RECHECK, REPLAY = "recheck", "replay"
# What a load of rows that were in quarantine before names as its origin.
PUT_ASIDE_BEFORE = "rows that were put aside before"


@dataclass(frozen=True)
class Changes:
    """What a delivery changes: rows to add and to remove, all rows then.

    `fresh` rows are newly put aside, `ends` tells which are so no more (facts.tables.SETTLED_QUARANTINE).
    """

    added: pl.DataFrame
    removed: pl.DataFrame
    rows: pl.DataFrame
    fresh: pl.DataFrame
    ends: pl.DataFrame

    @property
    def newly_aside(self) -> int:
        """How many rows are newly put aside, each once however many rules it breaks."""
        return self.fresh.select("line", "row").n_unique() if self.fresh.height else 0

    @property
    def aside_by_rule(self) -> dict[str, int]:
        """How many rows are newly put aside, by rule."""
        return dict(self.fresh.group_by("rule").len().iter_rows())


@dataclass(frozen=True)
class Recorder:
    """Records the loads of one source. `guard` refuses to write once the lease is lost."""

    product: Product
    workspace: Workspace
    source: str
    guard: Callable[[Transaction], None]

    @property
    def declaration(self) -> str:
        """The digest of the source's section in the product file."""
        return text_digest(self.product.file.sources[self.source].model_dump_json())

    def load(
        self,
        last: Load | None,
        delivery: Delivery,
        taken: Taken,
        changes: Changes,
        *,
        profile: TableProfile,
        results: tuple[RuleResult, ...],
        at: datetime,
        kind: str,
    ) -> Load:
        """The load that follows `last`; its profile and contract are stored, nothing else is."""
        table = self._table_for(changes.rows, last)
        number = (
            max(last.number if last else 0, self.workspace.tables.version(table, writer_of(self.source)) or 0)
            + 1
        )
        before = None if delivery.whole else last
        fresh = changes.added.height + changes.newly_aside
        own = news(results, rows=fresh, put_aside=changes.aside_by_rule)
        return Load(
            id=load_id(self.source, number),
            product=self.product.name,
            source=self.source,
            number=number,
            kind=kind,
            origin=delivery.origin,
            whole=delivery.whole,
            state=PENDING,
            table=table,
            position=dict(delivery.position),
            declaration=self.declaration,
            delivered=taken.delivered,
            added=changes.added.height,
            removed=changes.removed.height,
            quarantined=taken.rejected,
            rows=changes.rows.height,
            digest=_digest(changes, before),
            profile=self.workspace.artifacts.put(to_json(profile)),
            contract=self.workspace.artifacts.put(self.product.texts[1].encode()),
            contract_version=self.product.contract.version,
            rules=results,
            all_rules=added_up(before.all_rules, own) if before else results,
            all_delivered=before.all_delivered + fresh if before else taken.delivered,
            all_rejected=before.all_rejected + changes.newly_aside if before else taken.rejected,
            corrected=taken.corrected,
            suppressed=taken.suppressed,
            read_at=at,
        )

    def store(self, last: Load | None, load: Load, changes: Changes) -> Load:
        """The load as recorded, its rows committed. Raises Conflict when another process made it first."""
        with self.workspace.metadata.begin() as transaction:
            self.guard(transaction)
            put_pending(transaction, load)
        self._put_aside(load, changes)
        self._commit(
            load, self._as_stored(last, load, changes), begins=last is None or last.table != load.table
        )
        with self.workspace.metadata.begin() as transaction:
            self.guard(transaction)
            return self.done(transaction, load)

    def done(self, transaction: Transaction, load: Load) -> Load:
        """The load as recorded and logged: its rows are committed."""
        transaction.log(product=load.product, kind="source loaded", subject=load.id, body=_body(load))
        return put_done(transaction, load)

    def _put_aside(self, load: Load, changes: Changes) -> None:
        number = pl.lit(load.number).cast(pl.Int64).alias("load")
        for name, rows in (("quarantine", changes.fresh), ("quarantine_settled", changes.ends)):
            if rows.height:
                # What is there already was left out before, and under the lease nobody else adds to it.
                table, writer = table_name(load.product, name), writer_of(load.source)
                version = (self.workspace.tables.version(table, writer) or 0) + 1
                self.workspace.tables.append(table, rows.with_columns(number), writer=writer, version=version)

    def _commit(self, load: Load, rows: pl.DataFrame, *, begins: bool) -> None:
        writer = writer_of(load.source)
        # A table begins even without rows: it then has its columns.
        if (rows.height or begins) and not self.workspace.tables.append(
            load.table, rows, writer=writer, version=load.number
        ):
            with self.workspace.metadata.begin() as transaction:
                self.guard(transaction)
                transaction.put(msgspec.structs.replace(load, state=LOST))
            raise Conflict(
                f"source {load.source}: load {load.number} was made by another process at the same time; run again"
            )

    def _as_stored(self, last: Load | None, load: Load, changes: Changes) -> pl.DataFrame:
        """The changes to append; a table that begins anew takes over what the one before told."""
        own = as_changes(changes.added, changes.removed, load.number)
        if last is None or last.table == load.table:
            return own
        before = committed(self.workspace.tables, last)
        return pl.concat([in_columns(before, own), own])

    def _table_for(self, rows: pl.DataFrame, last: Load | None) -> str:
        """The table that holds the source's changes: a new one when a column is gone or has another type."""
        plain = source_table(self.product.name, self.source)
        present = last.table if last else plain
        schema = self.workspace.tables.read(present, where=pl.lit(value=False)).schema
        kept = {name: dtype for name, dtype in schema.items() if name not in CHANGE_SCHEMA}
        if all(rows.schema.get(name) == dtype for name, dtype in kept.items()):
            return present
        return f"{plain}.from{last.number + 1 if last else 1}"


def _digest(changes: Changes, before: Load | None) -> str:
    if before is None:
        return rows_digest(changes.rows)
    if changes.added.is_empty() and changes.removed.is_empty():
        return before.digest
    return text_digest(before.digest, rows_digest(changes.added), rows_digest(changes.removed))


def with_aside(load: Load, aside: pl.DataFrame) -> Load:
    """The load of a recheck, its sums counting the rows that were in quarantine already: they were delivered too."""
    rows = distinct(aside).height + aside.height - readable(aside).height
    broken = dict(aside.group_by("rule").len().iter_rows())
    return msgspec.structs.replace(
        load,
        all_rules=tuple(
            one
            if one.detail
            else msgspec.structs.replace(
                one, rows=one.rows + rows, failed=one.failed + broken.get(one.rule, 0)
            )
            for one in load.all_rules
        ),
        all_delivered=load.all_delivered + rows,
        all_rejected=load.all_rejected + rows,
    )


def _body(load: Load) -> dict[str, object]:
    return {"origin": load.origin, "delivered": load.delivered, "rows": load.rows, **counts(load)}


def counts(load: Load) -> dict[str, int]:
    """What a load did, in words and numbers; corrected and suppressed only where there are any."""
    more = {"corrected": sum(load.corrected.values()), "suppressed": load.suppressed}
    some = {name: count for name, count in more.items() if count}
    return {"added": load.added, "removed": load.removed, "put aside": load.quarantined, **some}

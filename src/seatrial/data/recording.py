"""Loads recorded: first as pending, then their rows, then as done, so that a kill anywhere loses nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from seatrial.contract.profile import to_json
from seatrial.data.changes import CHANGE_SCHEMA, as_changes
from seatrial.data.delivered import Taken
from seatrial.data.digest import rows_digest
from seatrial.data.loads import load_id, put_done, put_pending, writer_of
from seatrial.data.merging import added_up
from seatrial.data.ports import Delivery
from seatrial.errors import Conflict
from seatrial.facts.load import PENDING, Load
from seatrial.facts.profile import TableProfile
from seatrial.facts.snapshot import RuleResult
from seatrial.facts.tables import source_table, table_name
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product, text_digest

RECHECK, REPLAY = "recheck", "replay"


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
        number = last.number + 1 if last else 1
        before = None if delivery.whole else last
        return Load(
            id=load_id(self.source, number),
            product=self.product.name,
            source=self.source,
            number=number,
            kind=kind,
            origin=delivery.origin,
            whole=delivery.whole,
            state=PENDING,
            table=self._table_for(changes.rows, last),
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
            all_rules=added_up(before.all_rules, results) if before else results,
            all_delivered=taken.delivered + (before.all_delivered if before else 0),
            all_rejected=taken.rejected + (before.all_rejected if before else 0),
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
        self._commit(load, _as_stored(last, load, changes))
        with self.workspace.metadata.begin() as transaction:
            self.guard(transaction)
            done = put_done(transaction, load)
            transaction.log(product=load.product, kind="source loaded", subject=load.id, body=_body(load))
        return done

    def _put_aside(self, load: Load, changes: Changes) -> None:
        number = pl.lit(load.number).cast(pl.Int64).alias("load")
        for name, rows in (("quarantine", changes.fresh), ("quarantine_settled", changes.ends)):
            if rows.height:
                # What is there already was left out before, and under the lease nobody else adds to it.
                table, writer = table_name(load.product, name), writer_of(load.source)
                version = (self.workspace.tables.version(table, writer) or 0) + 1
                self.workspace.tables.append(table, rows.with_columns(number), writer=writer, version=version)

    def _commit(self, load: Load, rows: pl.DataFrame) -> None:
        writer = writer_of(load.source)
        if rows.height and not self.workspace.tables.append(
            load.table, rows, writer=writer, version=load.number
        ):
            raise Conflict(
                f"source {load.source}: load {load.number} was made by another process at the same time; run again"
            )

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


def _as_stored(last: Load | None, load: Load, changes: Changes) -> pl.DataFrame:
    """The changes to append; a table that begins anew begins with every row that stands."""
    if last is None or last.table == load.table:
        return as_changes(changes.added, changes.removed, load.number)
    return as_changes(changes.rows, changes.rows.clear(), load.number)


def _body(load: Load) -> dict[str, object]:
    return {"origin": load.origin, "delivered": load.delivered, "rows": load.rows, **counts(load)}


def counts(load: Load) -> dict[str, int]:
    """What a load did, in words and numbers; corrected and suppressed only where there are any."""
    more = {"corrected": sum(load.corrected.values()), "suppressed": load.suppressed}
    some = {name: count for name, count in more.items() if count}
    return {"added": load.added, "removed": load.removed, "put aside": load.quarantined, **some}

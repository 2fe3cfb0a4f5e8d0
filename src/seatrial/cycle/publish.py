"""Publishing lookups: servers get what changed since the last time, or now and then the whole table."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
import polars as pl

from seatrial.errors import IntegrityBroken, NotFound
from seatrial.facts.lookups import CURRENT, LookupTables, PublishedLookup
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.metadata import Transaction
from seatrial.ports.workspace import Workspace
from seatrial.product.lookup_changes import changes
from seatrial.product.lookup_files import published_table, to_bytes
from seatrial.product.lookups import KNOWN, TOLD
from seatrial.product.product import Product

# A server that starts anew reads the whole table and then every increment.
MOST_INCREMENTS = 64
# Rows of the future are few where rows are late; a calendar of years is told in part.
MOST_COMING = 256


def publish(
    workspace: Workspace,
    product: Product,
    prepared: Mapping[str, pl.DataFrame],
    *,
    at: datetime,
    guard: Callable[[Transaction], None] | None = None,
    whole: bool = False,
) -> LookupTables:
    """What is published now: the prepared tables of all lookups, stored and recorded; servers read it next.

    `whole` publishes whole tables even where little changed: nothing of an erased row may stay in an increment.
    `guard` is called before anything is recorded.
    """
    with workspace.metadata.begin() as transaction:
        previous = transaction.get(LookupTables, product.name, CURRENT)
    # Compared outside of the transaction: a big table takes seconds, and other writers would wait for it.
    published = next_tables(previous, product, prepared, workspace.artifacts, at=at, whole=whole)
    with workspace.metadata.begin() as transaction:
        if guard is not None:
            guard(transaction)
        transaction.put(published)
    return published


def next_tables(
    previous: LookupTables | None,
    product: Product,
    prepared: Mapping[str, pl.DataFrame],
    artifacts: Artifacts,
    *,
    at: datetime,
    whole: bool = False,
) -> LookupTables:
    """The publication that follows `previous`; its parts are stored as artifacts, nothing is recorded.

    Tables of lookups that the product file does not have are left out.
    """
    before = {} if previous is None or whole else previous.lookups
    lookups = {
        name: _next(before.get(name), product.lookup(name).on, table, artifacts, at)
        for name, table in prepared.items()
        if name in product.file.examples.lookups
    }
    return LookupTables(product=product.name, lookups=lookups, published_at=at)


def _next(
    before: PublishedLookup | None,
    on: tuple[str, ...],
    table: pl.DataFrame,
    artifacts: Artifacts,
    at: datetime,
) -> PublishedLookup:
    newest, coming = newest_told(table, at), _coming(table, at)
    changed = _changed(before, on, table, artifacts)
    if before is None or changed is None or _outgrown(before, changed.height, table.height):
        base = artifacts.put(to_bytes(table))
        same = before is not None and before.parts == (base,)
        changed_at = before.changed_at if before is not None and same else at
        return PublishedLookup(
            on=on, base=base, rows=table.height, newest=newest, coming=coming, changed_at=changed_at
        )
    if changed.is_empty():
        return msgspec.structs.replace(before, newest=newest, coming=coming)
    increment = artifacts.put(to_bytes(changed))
    return msgspec.structs.replace(
        before,
        increments=(*before.increments, increment),
        rows=table.height,
        changed_rows=before.changed_rows + changed.height,
        newest=newest,
        coming=coming,
        changed_at=at,
    )


def _changed(
    before: PublishedLookup | None, on: tuple[str, ...], table: pl.DataFrame, artifacts: Artifacts
) -> pl.DataFrame | None:
    """The rows that changed; None when there is nothing to compare with, or another kind of table."""
    if before is None or before.on != on:
        return None
    try:
        old = published_table(before, artifacts)
    except (NotFound, IntegrityBroken):
        return None  # an erasure took it, or it was altered: a whole table heals that
    return changes(old, table, on) if old.schema == table.schema else None


def _outgrown(before: PublishedLookup, changed: int, rows: int) -> bool:
    """Whether a whole table is less to read than all increments."""
    if not changed:
        return False
    return len(before.increments) >= MOST_INCREMENTS or before.changed_rows + changed > rows


def newest_told(prepared: pl.DataFrame, at: datetime) -> datetime | None:
    """The latest event time of a prepared table that is known at `at`; None without times or rows."""
    if TOLD not in prepared.columns:
        return None
    newest = prepared.filter(pl.col(KNOWN) <= at)[TOLD].max()
    return newest if isinstance(newest, datetime) else None


def _coming(prepared: pl.DataFrame, at: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Known and event time of the rows with which a table grows newer after `at`, in order."""
    if TOLD not in prepared.columns:
        return ()
    ordered = prepared.select(KNOWN, TOLD).sort(KNOWN, TOLD)
    newer = ordered.filter((pl.col(TOLD) > pl.col(TOLD).cum_max().shift(1)).fill_null(True))
    later = newer.filter(pl.col(KNOWN) > at).unique(KNOWN, keep="last", maintain_order=True)
    return tuple(later.gather_every(1 + later.height // MOST_COMING).rows())

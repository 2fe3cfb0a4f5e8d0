"""Snapshots: immutable tables of examples, named by their rows, with their lineage.

The examples of all snapshots lie in one table that keeps its changes, so that a snapshot adds only what is new.
"""

from datetime import datetime

import polars as pl

from seatrial.contract.profile import profile_table, to_json
from seatrial.data.changes import LOAD, as_changes, difference, state
from seatrial.data.digest import rows_digest
from seatrial.data.examples import KNOWN_AT, examples_contract
from seatrial.data.read import SourceTables
from seatrial.errors import Conflict, DataRefused, IntegrityBroken
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import examples_table
from seatrial.ports.tables import Tables
from seatrial.ports.workspace import Workspace
from seatrial.product.product import MATURED_AT, Product

__all__ = ["examples_as_of", "load_snapshot", "rows_digest", "save_snapshot"]
_WRITER = "snapshot"


def examples_as_of(product: Product, examples: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The examples that had matured and whose outcome was known by `as_of`, in their order.

    Both are asked: outcomes known early are not representative of those that take long, and an outcome that is
    still unknown teaches nothing.
    """
    labelled = pl.col(product.label).is_not_null()
    return examples.filter((pl.col(MATURED_AT) <= as_of) & (pl.col(KNOWN_AT) <= as_of) & labelled)


def save_snapshot(
    product: Product,
    frame: pl.DataFrame,
    tables: SourceTables,
    workspace: Workspace,
    *,
    as_of: datetime | None,
    at: datetime,
) -> Snapshot:
    """The snapshot of `frame`, its rows stored; the one that is there already when its rows are the same.

    Raises DataRefused when there are no rows, Conflict when another process saves one at the same time.
    """
    if frame.is_empty():
        raise DataRefused(f"{product.name}: no matured example by {as_of}; a snapshot needs at least one")
    digest = rows_digest(frame)
    with workspace.metadata.begin() as transaction:
        stored = transaction.get(Snapshot, product.name, digest)
        newest = transaction.all(Snapshot, product.name, limit=1)
    # One that lost rows to an erasure is not what its name says any more: the rows are stored anew.
    if stored is not None and not stored.erased:
        return stored
    table, number = _stored(workspace.tables, product, frame, newest[-1].table if newest else None)
    made_at = frame[product.made_at]
    return Snapshot(
        id=digest,
        product=product.name,
        table=table,
        number=number,
        profile=workspace.artifacts.put(to_json(profile_table(frame, examples_contract(product)))),
        rows=frame.height,
        columns=tuple(frame.columns),
        first_made_at=_moment(made_at.min()),
        last_made_at=_moment(made_at.max()),
        as_of=as_of,
        sources=tables.reads,
        rules=tables.rules,
        contract_version=product.contract.version,
        product_digest=product.digest,
        created_at=at,
    )


def load_snapshot(snapshot: Snapshot, tables: Tables) -> pl.DataFrame:
    """The rows of a snapshot. Raises IntegrityBroken when they are not the rows that it names."""
    frame = state(tables.read(snapshot.table, where=pl.col(LOAD) <= snapshot.number), snapshot.number)
    expected = snapshot.remaining or snapshot.id
    found = rows_digest(frame.select(snapshot.columns)) if frame.width else "nothing"
    if found != expected:
        raise IntegrityBroken(
            f"snapshot {snapshot.id}: expected the rows {expected} in table {snapshot.table}, found {found}; "
            "restore the workspace from a backup, or make a new snapshot with `seatrial data`"
        )
    return frame.select(snapshot.columns)


def _stored(tables: Tables, product: Product, frame: pl.DataFrame, present: str | None) -> tuple[str, int]:
    """The table and number under which the rows are stored; only what differs from the state before is added."""
    plain = examples_table(product.name)
    table = present or plain
    schema = tables.read(table, where=pl.lit(value=False)).schema
    number = (tables.version(table, _WRITER) or 0) + 1
    # Rows with other columns are other rows altogether; they begin a table of their own.
    if schema and {name: schema[name] for name in schema if not name.startswith("__")} != dict(frame.schema):
        generation = len(tables.names(plain)) + 1
        table, number, schema = f"{plain}.{generation}", 1, pl.Schema()
    old = state(tables.read(table)) if schema else pl.DataFrame()
    changes = as_changes(*difference(old, frame), number)
    if not tables.append(table, changes, writer=_WRITER, version=number):
        raise Conflict(f"{product.name}: another process made a snapshot at the same time; try again")
    return table, number


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise DataRefused("the decision time of a snapshot's rows is missing everywhere")
    return value

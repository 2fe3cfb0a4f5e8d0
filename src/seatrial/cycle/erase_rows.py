"""Which rows of which tables, and which artifacts, hold a value that is to be erased."""

from collections.abc import Iterator

import msgspec
import polars as pl

from seatrial.cycle.cuts import Cut, Which, examples_tables, source_tables
from seatrial.cycle.erase_artifacts import holding
from seatrial.cycle.erase_facts import quoting
from seatrial.data.changes import state
from seatrial.data.sought import Sought
from seatrial.facts.model import Model
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import table_name
from seatrial.ports.metadata import Transaction
from seatrial.ports.tables import Tables
from seatrial.ports.workspace import Workspace

ARTIFACTS, FACTS = "artifacts", "facts"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What holds a value: rows by table, records of the journal, artifacts, facts; snapshots and their models."""

    rows: dict[str, int]
    snapshots: tuple[str, ...]
    models: tuple[str, ...]


def cuts_of(workspace: Workspace, sought: Sought) -> Iterator[Cut]:
    """What an erasure cuts, in order: what tells which rows belong together goes last.

    Examples go after their sources, so that a snapshot whose rows are gone is never made again from them.
    """
    tables, name = workspace.tables, sought.product.name
    predictions = Cut(table_name(name, "predictions"), sought.in_predictions)
    gone = predictions.concerned(tables)
    of_gone = _either(sought.in_ledger, "prediction_id", _column(gone, "prediction_id"))
    reported = _either(sought.in_outcomes, "prediction_id", _column(gone, "prediction_id"))
    yield Cut(table_name(name, "ledger"), of_gone, blanks=True)
    done = _either(sought.in_actions, "prediction_id", _column(gone, "prediction_id"))
    only_keys = _only_keys(tables, predictions, gone)
    yield Cut(table_name(name, "outcomes"), _either(reported, "key", only_keys))
    yield Cut(table_name(name, "actions"), _either(done, "key", only_keys))
    yield predictions
    quarantined = Cut(table_name(name, "quarantine"), sought.in_quarantine)
    yield Cut(
        table_name(name, "quarantine_settled"),
        _either(_none, "id", _column(quarantined.concerned(tables), "id")),
    )
    yield quarantined
    for table, source in source_tables(tables, name):
        if sought.columns_of(source, tables.read(table, where=pl.lit(value=False))):
            yield Cut(table, _of_source(sought, source))
    for table in examples_tables(tables, name):
        yield Cut(table, sought.in_examples)


def found_by(workspace: Workspace, sought: Sought) -> Found:
    """All that holds the value, but for the journal."""
    tables = workspace.tables
    rows = {cut.table: cut.rows(tables) for cut in cuts_of(workspace, sought)}
    rows[ARTIFACTS] = len(holding(workspace, sought))
    with workspace.metadata.begin() as transaction:
        rows[FACTS] = len(quoting(transaction, sought))
        snapshots = tuple(_holding_snapshots(transaction, workspace, sought))
        models = [m.id for m in transaction.all(Model, sought.product.name) if m.snapshot in snapshots]
    return Found(rows=counts(rows), snapshots=snapshots, models=tuple(models))


def _holding_snapshots(transaction: Transaction, workspace: Workspace, sought: Sought) -> Iterator[str]:
    tables, name = workspace.tables, sought.product.name
    held = {
        table: Cut(table, sought.in_examples).concerned(tables) for table in examples_tables(tables, name)
    }
    for snapshot in transaction.all(Snapshot, name):
        frame = held.get(snapshot.table)
        if frame is not None and state(frame, snapshot.number).height:
            yield snapshot.id


def _either(which: Which, column: str, ids: list[str]) -> Which:
    return lambda frame: which(frame) | frame[column].is_in(ids).fill_null(False)


def _only_keys(tables: Tables, predictions: Cut, gone: pl.DataFrame) -> list[str]:
    """The keys of which no other prediction is left."""
    others = tables.read(predictions.table)
    if not gone.height:
        return []
    left = others.join(gone, on=["prediction_id", "release"], how="anti").select("key")
    return _column(gone.join(left, on="key", how="anti"), "key")


def _none(frame: pl.DataFrame) -> pl.Series:
    return pl.Series([False]).new_from_index(0, frame.height)


def _of_source(sought: Sought, source: str) -> Which:
    return lambda frame: sought.in_source(source, frame)


def _column(frame: pl.DataFrame, name: str) -> list[str]:
    return frame[name].drop_nulls().unique().to_list() if frame.width else []


def counts(rows: dict[str, int]) -> dict[str, int]:
    """The counts above zero, by name."""
    return {name: count for name, count in sorted(rows.items()) if count}

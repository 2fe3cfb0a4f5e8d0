"""Retention: what is older than the product file says is removed for good; the ledger keeps the money alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from uuid import uuid4

import polars as pl

from seatrial.cycle.cuts import Cut, Which, examples_tables, record_remaining, source_tables, totals_kept
from seatrial.cycle.heartbeat import kept
from seatrial.cycle.stand_back import reading
from seatrial.cycle.tally import stored_totals
from seatrial.data.loads import loads_of
from seatrial.data.retention import kept_from, outdated, removed
from seatrial.facts.job import Lease, Progress
from seatrial.facts.load import Load
from seatrial.facts.tables import table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product

LOGGED = "retention"
_SECONDS = 30.0


def retain_daily(workspace: Workspace, product: Product, *, lease: Lease | None = None) -> dict[str, int]:
    """The same at the first call of each UTC day; nothing at the others."""
    if product.file.governance.retention is None:
        return {}
    now = workspace.clock.now()
    with workspace.metadata.begin() as transaction:
        progress = transaction.get(Progress, product.name, LOGGED)
    if progress is not None and progress.position >= now.toordinal():
        return {}
    gone = retain(workspace, product, now, lease=lease)
    with workspace.metadata.begin() as transaction:
        if lease is not None:
            transaction.guard(lease)
        transaction.put(Progress(id=LOGGED, product=product.name, position=now.toordinal(), at=now))
    return gone


def retain(
    workspace: Workspace, product: Product, now: datetime, *, lease: Lease | None = None
) -> dict[str, int]:
    """How many rows were removed per table (of the ledger: keys), by `governance.retention`; empty without it.

    Rows are as old as their decision, the time that they tell of, or when they were received or put aside. A
    prediction goes once it is booked. Whoever calls it holds the loop's lease; killed, the next call goes on.
    Nothing is removed while another process reads the sources.
    """
    since = kept_from(product, now)
    if since is None:
        return {}
    metadata = workspace.metadata
    reads = metadata.acquire(reading(product.name), uuid4().hex, _SECONDS)
    if reads is None:
        return {}
    try:
        with kept(metadata, reads, _SECONDS):
            return _retain(workspace, product, since, lease)
    finally:
        metadata.release(reads)


def overdue(workspace: Workspace, product: Product, now: datetime) -> dict[str, int]:
    """How many stored rows per table are older than `governance.retention` already; nothing is removed."""
    since = kept_from(product, now)
    cuts = () if since is None else _cuts(workspace, product, since)
    return {cut.table: rows for cut in cuts if (rows := cut.rows(workspace.tables))}


def removed_on_day(workspace: Workspace, product: Product, now: datetime) -> dict[str, int]:
    """How many rows per table retention removed on the UTC day of `now`, as the logbook tells."""
    if product.file.governance.retention is None:
        return {}
    with workspace.metadata.begin() as transaction:
        entries = transaction.logbook(product.name)
    gone: dict[str, int] = {}
    for entry in entries:
        if entry.kind == LOGGED and entry.at.date() == now.date():
            for table, rows in entry.body["rows"].items():
                gone[table] = gone.get(table, 0) + rows
    return gone


def _retain(workspace: Workspace, product: Product, since: datetime, lease: Lease | None) -> dict[str, int]:
    gone: dict[str, int] = {}
    with _counting_on(workspace, product.name):
        for cut in _cuts(workspace, product, since):
            if rows := cut.rows(workspace.tables):
                cut.make(workspace.tables)
                gone[cut.table] = rows
    with workspace.metadata.begin() as transaction:
        if lease is not None:
            transaction.guard(lease)
        snapshots = record_remaining(transaction, workspace.tables, product.name)
        if gone:
            body = {"before": since.isoformat(), "rows": gone, "snapshots": list(snapshots)}
            transaction.log(product=product.name, kind=LOGGED, subject=product.name, body=body)
    return gone


def _counting_on(workspace: Workspace, product: str) -> AbstractContextManager[None]:
    """Totals that are out of date already, since a worker was killed, are counted anew instead."""
    return nullcontext() if stored_totals(workspace, product) is None else totals_kept(workspace, product)


def _cuts(workspace: Workspace, product: Product, since: datetime) -> Iterator[Cut]:
    tables, name = workspace.tables, product.name
    booked = _booked(workspace, name)
    predictions = Cut(table_name(name, "predictions"), _booked_before(since, booked))
    gone = predictions.concerned(tables)
    waiting = tables.read(predictions.table)
    waiting = waiting.filter(~pl.col("prediction_id").is_in(booked)) if waiting.width else waiting
    yield Cut(table_name(name, "ledger"), _before("made_at", since), blanks=True)
    for table, told in (("outcomes", "known_at"), ("actions", "at")):
        old = _received_before(since, workspace.clock.now(), told)
        yield Cut(table_name(name, table), _settled_reports(old, gone, waiting))
    yield predictions
    yield Cut(table_name(name, "quarantine_settled"), _before("at", since))
    yield Cut(table_name(name, "quarantine"), _before("at", since))
    yield from _source_cuts(workspace, product, since)
    for table in examples_tables(tables, name):
        yield Cut(table, _before(product.made_at, since))


def _source_cuts(workspace: Workspace, product: Product, since: datetime) -> Iterator[Cut]:
    with workspace.metadata.begin() as transaction:
        loads = loads_of(transaction, product.name)
    for table, source in source_tables(workspace.tables, product.name):
        own = [load for load in loads if load.source == source]
        if _long_replaced(product, table, own, since):
            yield Cut(table, _everything)
        else:
            read = {load.number: load.read_at for load in own}
            yield Cut(table, _of_source(product, source, read, since))


def _long_replaced(product: Product, table: str, loads: list[Load], since: datetime) -> bool:
    """Whether a new table took the place of this one before `since`, or its source is read no more since then."""
    written = [load.number for load in loads if load.table == table]
    later = [load.read_at for load in loads if written and load.number > written[-1]]
    if later:
        return later[0] < since
    unread = loads and loads[-1].source not in product.file.sources
    return bool(unread and loads[-1].read_at < since)


def _everything(frame: pl.DataFrame) -> pl.Series:
    return pl.Series([True]).new_from_index(0, frame.height)


def _of_source(product: Product, source: str, read: dict[int, datetime], since: datetime) -> Which:
    def which(stored: pl.DataFrame) -> pl.Series:
        stands = ~removed(stored, set(read))
        long_gone = removed(stored, {number for number, at in read.items() if at < since})
        return outdated(product, source, stored, since, stands) | long_gone

    return which


def _booked(workspace: Workspace, product: str) -> list[str]:
    ledger = workspace.tables.read(table_name(product, "ledger"))
    return ledger["prediction_id"].unique().to_list() if ledger.width else []


def _booked_before(since: datetime, booked: list[str]) -> Which:
    old = _before("made_at", since)
    return lambda frame: old(frame) & frame["prediction_id"].is_in(booked)


def _received_before(since: datetime, now: datetime, told: str) -> Which:
    """Reports received before `since`; those of a clock that ran ahead are as old as the time that they tell of."""
    received = pl.col("received_at")
    age = pl.when(received > now).then(pl.min_horizontal(received, told)).otherwise(received)
    return lambda frame: frame.select((age < since).fill_null(False).alias("old"))["old"]


def _settled_reports(old: Which, gone: pl.DataFrame, waiting: pl.DataFrame) -> Which:
    """Outcomes or actions of predictions that go, and old ones that no prediction waits for."""

    def which(frame: pl.DataFrame) -> pl.Series:
        awaited = _names(frame, waiting)
        return (_names(frame, gone, keys=False) | old(frame)) & ~awaited

    return which


def _names(reports: pl.DataFrame, predictions: pl.DataFrame, *, keys: bool = True) -> pl.Series:
    if not predictions.width:
        return pl.Series([False]).new_from_index(0, reports.height)
    named = reports["prediction_id"].is_in(predictions["prediction_id"].implode()).fill_null(False)
    if not keys:
        return named
    return named | reports["key"].is_in(predictions["key"].implode()).fill_null(False)


def _before(column: str, since: datetime) -> Which:
    return lambda frame: frame.select((pl.col(column) < since).fill_null(False).alias("old"))["old"]

"""Tables as Delta Lake tables, in a folder or an object store."""

import contextlib
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from obstore.exceptions import BaseError

from seatrial.adapters.tables.dtypes import check_storable
from seatrial.adapters.tables.objects import open_objects, table_names
from seatrial.adapters.tables.traces import remove_traces
from seatrial.errors import Conflict, DataRefused, StorageFailed

_log = logging.getLogger(__name__)
_TRIES = 10
# Every commit leaves a small file, and reading costs per file; joining them costs as much as 40 commits.
_COMPACT_EVERY = 100
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*")


class DeltaTables:
    """Append-only Delta tables under one root, a path or a URL (`s3://…`, `gs://…`, `az://…`).

    Exactly once rests on two checks: a repeated commit is seen in the table's transaction versions, and a
    commit made by another process since then makes Delta refuse ours, which is then looked at anew.
    """

    def __init__(self, root_url: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = str(root_url).rstrip("/")
        self._options = dict(storage_options) if storage_options else None
        self._handles: dict[str, DeltaTable] = {}
        self._lock = threading.RLock()

    def append(self, table: str, frame: pl.DataFrame, *, writer: str, version: int) -> bool:
        with self._lock:
            for _ in range(_TRIES):
                handle = self._fresh(table) or self._create(table, frame)
                if version <= _committed(handle, writer):
                    return False
                check_storable(table, frame, _schema(handle))
                if _came_first(table, partial(_commit, handle, frame, writer, version)):
                    _compact_sometimes(handle)
                    return True
        raise _crowded(table, f"commit {version} of {writer}")

    def version(self, table: str, writer: str) -> int | None:
        with self._lock:
            handle = self._fresh(table)
            return handle.transaction_version(writer) if handle else None

    def read(
        self, table: str, *, where: pl.Expr | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        for _ in range(_TRIES):
            with self._lock:
                handle = self._fresh(table)
                if handle is None:
                    return pl.DataFrame()
                version, scan = handle.version(), pl.scan_delta(handle)
            scan = scan if where is None else scan.filter(where)
            scan = scan if columns is None else scan.select(columns)
            try:
                return scan.collect()
            except (OSError, pl.exceptions.ComputeError) as error:
                # A rewrite removes the files of older states, also from under those who are reading them.
                if self._stands_at(table, version):
                    raise StorageFailed(f"table {table}: its rows could not be read: {error}") from error
        raise _crowded(table, "reading")

    def rows(self, table: str) -> int:
        with self._lock:
            handle = self._fresh(table)
            return handle.count() if handle else 0

    def names(self, prefix: str = "") -> list[str]:
        with _told(prefix, "the tables could not be listed"):
            return [name for name in table_names(self._root, self._options) if name.startswith(prefix)]

    def rewrite(self, table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        with self._lock:
            for _ in range(_TRIES):
                handle = self._fresh(table)
                if handle is None:
                    return
                stored = pl.scan_delta(handle).collect()
                left = change(stored)
                _check_same_columns(table, stored, left)
                if left.equals(stored):
                    self._remove_traces(table, handle)
                    return
                # Rows that others add meanwhile are kept as they are; the next turn changes them.
                _came_first(table, partial(write_deltalake, handle, left, mode="overwrite"))
        raise _crowded(table, "its rewriting")

    def _remove_traces(self, table: str, handle: DeltaTable) -> None:
        store = open_objects(self._url(table), self._options)
        if store is not None:
            with _told(table, "its old files could not be removed"):
                remove_traces(handle, store)

    def _stands_at(self, table: str, version: int) -> bool:
        with self._lock:
            handle = self._fresh(table)
            return handle is not None and handle.version() == version

    def _fresh(self, table: str) -> DeltaTable | None:
        """The table at its newest version, or None when nobody has made it."""
        if handle := self._handles.get(table):
            handle.update_incremental()
            return handle
        try:
            self._handles[table] = DeltaTable(self._url(table), storage_options=self._options)
        except TableNotFoundError:
            return None
        return self._handles[table]

    def _create(self, table: str, frame: pl.DataFrame) -> DeltaTable:
        # Made empty first: a commit into a table that is not open is not checked against other writers.
        check_storable(table, frame, {})
        with _told(table, "it could not be made"):
            # Another process may make it first, which shows as one of several errors; opening it then decides.
            with contextlib.suppress(DeltaError):
                write_deltalake(
                    self._url(table),
                    frame.clear(),
                    mode="ignore",
                    storage_options=self._options,
                    configuration=_statistics(frame),
                )
            self._handles[table] = DeltaTable(self._url(table), storage_options=self._options)
        return self._handles[table]

    def _url(self, table: str) -> str:
        if not _NAME.fullmatch(table):
            raise DataRefused(
                f"table {table!r}: expected a name of letters, digits, _ and -, parts joined by . or /"
            )
        return f"{self._root}/{table}"


def _committed(handle: DeltaTable, writer: str) -> int:
    last = handle.transaction_version(writer)
    return -1 if last is None else last


def _schema(handle: DeltaTable) -> Mapping[str, pl.DataType]:
    return pl.scan_delta(handle).collect_schema()


def _commit(handle: DeltaTable, frame: pl.DataFrame, writer: str, version: int) -> None:
    write_deltalake(
        handle,
        frame,
        mode="append",
        schema_mode="merge",
        commit_properties=CommitProperties(app_transactions=[Transaction(writer, version)]),
    )


def _came_first(table: str, commit: Callable[[], None]) -> bool:
    """Whether the commit was made; False when another process came first, so that one has to look again."""
    try:
        with _told(table, "its rows could not be written"):
            commit()
    except CommitFailedError:
        return False
    return True


def _compact_sometimes(handle: DeltaTable) -> None:
    if handle.version() % _COMPACT_EVERY:
        return
    try:
        handle.optimize.compact()
        # Files that were joined, or left by a writer that died, longer ago than the table's retention (a week).
        handle.vacuum(dry_run=False, full=True)
    except (DeltaError, OSError) as error:
        # Another process joined or rewrote the same files, or the disk is full: the rows stand either way.
        _log.info("table %s is not compacted this time: %s", handle.table_uri, error)


@contextlib.contextmanager
def _told(table: str, what: str) -> Iterator[None]:
    """Raises StorageFailed for what the store could not do; conflicts with other writers pass through."""
    try:
        yield
    except CommitFailedError:
        raise
    except (DeltaError, BaseError, OSError) as error:
        raise StorageFailed(
            f"table {table}: {what}: {error}; nothing of it counts and what was stored is untouched; "
            "see that the disk has room and the store can be reached, then try again"
        ) from error


def _check_same_columns(table: str, stored: pl.DataFrame, left: pl.DataFrame) -> None:
    if left.schema != stored.schema:
        raise DataRefused(
            f"table {table}: rewriting it expected the columns {dict(stored.schema)}, got {dict(left.schema)}"
        )


def _crowded(table: str, what: str) -> Conflict:
    return Conflict(
        f"table {table}: {what} met other writers {_TRIES} times, expected a free moment; try again later"
    )


def _statistics(frame: pl.DataFrame) -> dict[str, str | None]:
    """Statistics for times alone: readers cut by time, and every other column's slow each commit down."""
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    if times:
        return {"delta.dataSkippingStatsColumns": ",".join(times)}
    return {"delta.dataSkippingNumIndexedCols": "0"}

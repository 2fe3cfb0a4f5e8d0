"""Tables as Delta Lake tables, in a folder or an object store."""

import contextlib
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from seatrial.adapters.tables.dtypes import check_storable
from seatrial.errors import Conflict, DataRefused

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
                with contextlib.suppress(CommitFailedError):  # another process came first: look again
                    _commit(handle, frame, writer, version)
                    _compact_sometimes(handle)
                    return True
        raise Conflict(
            f"table {table}: commit {version} of {writer} met other writers {_TRIES} times, "
            "expected a free moment; try again later"
        )

    def version(self, table: str, writer: str) -> int | None:
        with self._lock:
            handle = self._fresh(table)
            return handle.transaction_version(writer) if handle else None

    def read(
        self, table: str, *, where: pl.Expr | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        with self._lock:
            handle = self._fresh(table)
            if handle is None:
                return pl.DataFrame()
            scan = pl.scan_delta(handle)
        scan = scan if where is None else scan.filter(where)
        scan = scan if columns is None else scan.select(columns)
        return scan.collect()

    def rows(self, table: str) -> int:
        with self._lock:
            handle = self._fresh(table)
            return handle.count() if handle else 0

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


def _compact_sometimes(handle: DeltaTable) -> None:
    if handle.version() % _COMPACT_EVERY:
        return
    with contextlib.suppress(
        CommitFailedError
    ):  # another process joined the same files: nothing is left to do
        handle.optimize.compact()
        # Files that were joined longer than the table's retention ago (a week), so nobody reads them any more.
        handle.vacuum(dry_run=False)


def _statistics(frame: pl.DataFrame) -> dict[str, str | None]:
    """Statistics for times alone: readers cut by time, and every other column's slow each commit down."""
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    if times:
        return {"delta.dataSkippingStatsColumns": ",".join(times)}
    return {"delta.dataSkippingNumIndexedCols": "0"}

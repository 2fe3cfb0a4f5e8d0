"""Delta tables: the rows that were appended since the last reading, or the whole table when others changed too."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.retry import connection_failed
from seatrial.data.ports import Delivery, Position

_PARTITION = "partition."


class DeltaSource:
    """Reads `delta` of a source, a path or URL; the position is the table's version.

    Where nothing but new files came since then, their rows are delivered. Rows that were changed or removed,
    joined files and another schema give the whole table again.
    """

    def read(self, asked: Asked) -> Iterator[Delivery]:
        """What is new, in one delivery. Raises SourceFailed when there is no table, or it cannot be read."""
        place = str(asked.source.delta)
        address = place if "://" in place else str(asked.within(place))
        options = asked.credentials.options(asked.source.options)
        with asked.telling(f"cannot read the Delta table {place}"):
            table = asked.retries.call(lambda: DeltaTable(address, storage_options=options), _may_pass)
            position = {"table": str(table.metadata().id), "version": table.version()}
            if position == asked.since:
                return
            appended = _appended(table, address, options, asked.since)
            frame = asked.retries.call(lambda: _rows(table, options, appended), _may_pass)
        if appended is None or frame.height:
            origin = f"{place} at version {table.version()}"
            yield Delivery(frame=frame, position=position, whole=appended is None, origin=origin)


def _appended(
    table: DeltaTable, address: str, options: Mapping[str, str], since: Position | None
) -> pl.DataFrame | None:
    """The files added since the position; None when more happened, or that version is not known any more."""
    if since is None or since["table"] != str(table.metadata().id) or since["version"] > table.version():
        return None
    try:
        before = DeltaTable(address, version=since["version"], storage_options=dict(options))
    except DeltaError:
        return None
    if before.schema() != table.schema():
        return None
    identity = ["path", "size_bytes", "modification_time"]
    old, new = _files(before), _files(table)
    if old.join(new, on=identity, how="anti").height:
        return None
    return new.join(old, on=identity, how="anti")


def _files(table: DeltaTable) -> pl.DataFrame:
    return pl.DataFrame(table.get_add_actions(flatten=True))


def _rows(table: DeltaTable, options: Mapping[str, str], appended: pl.DataFrame | None) -> pl.DataFrame:
    whole = pl.scan_delta(table)
    if appended is None:
        return whole.collect()
    schema = whole.collect_schema()
    uris = {uri.rpartition("/")[2]: uri for uri in table.file_uris()}
    parts = [
        _file(uris[file["path"].rpartition("/")[2]], file, schema, options) for file in appended.to_dicts()
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def _file(uri: str, file: Mapping[str, Any], schema: pl.Schema, options: Mapping[str, str]) -> pl.DataFrame:
    """One file's rows in the table's schema: what the table is split by stands beside the file, not in it."""
    frame = pl.read_parquet(uri, storage_options=dict(options) or None, hive_partitioning=False)
    split_by = {
        key.removeprefix(_PARTITION): value for key, value in file.items() if key.startswith(_PARTITION)
    }
    absent = {name: split_by.get(name) for name in schema if name not in frame.columns}
    return frame.with_columns(**{name: pl.lit(value) for name, value in absent.items()}).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )


def _may_pass(error: Exception) -> bool:
    return connection_failed(error) or any(
        words in str(error).lower() for words in ("generic s3 error", "error sending request", "timed out")
    )

"""Whole sources at once, for those who need a table and no loads: the intake, and looking around."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from seatrial.contract.masking import masked_columns, sensitive
from seatrial.contract.model import TableContract
from seatrial.data.ports import SourceReader
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source

_LINES_SHOWN = 5


def read_whole(
    reader: SourceReader, name: str, source: Source, folder: Path | None, table: TableContract | None = None
) -> pl.DataFrame:
    """All rows of a source, stacked in the order of their delivery.

    Raises SourceFailed when it cannot be read, delivers nothing, or some of it could not be read as rows: here
    is no quarantine to put that aside. What such a line holds is shown unless its `table` has classified columns.
    """
    deliveries = list(reader.read(name, source, folder))
    if not deliveries:
        raise SourceFailed(f"source {name}: it delivers no table, not even one without rows")
    unreadable = pl.concat(delivery.unreadable for delivery in deliveries)
    if unreadable.height:
        raise SourceFailed(f"source {name}: {_told(unreadable, table)}")
    return stacked(name, [delivery.frame for delivery in deliveries])


def stacked(name: str, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of tables of source `name` that have the same columns, in the column order of the first.

    Where a column's types differ, all become the type that holds them all (integers beside floats: floats), or
    text where there is none, so that the contract judges the values. A column without values has no say.
    Raises SourceFailed when the columns differ.
    """
    columns = frames[0].columns
    for frame in frames[1:]:
        if set(frame.columns) != set(columns):
            differing = ", ".join(sorted(set(frame.columns) ^ set(columns)))
            raise SourceFailed(f"source {name}: its deliveries differ in the columns {differing}")
    types = {column: _common_type([frame[column] for frame in frames]) for column in columns}
    return pl.concat([frame.select(columns).cast(pl.Schema(types)) for frame in frames])


def _common_type(parts: Sequence[pl.Series]) -> pl.DataType:
    # A file without rows has no types of its own: what is read from CSV is then text.
    filled = [part for part in parts if part.null_count() < len(part)]
    return common_type([part.dtype for part in filled or parts])


def common_type(kinds: Sequence[pl.DataType]) -> pl.DataType:
    """The type that holds all the values of other types, or text where there is none."""
    empty = {kind: pl.DataFrame(schema={"one": kind}) for kind in kinds}
    if len(empty) == 1:
        return next(iter(empty))
    # Of other types Polars would make numbers of days and of truth values.
    zones = {_zone(kind) for kind in empty}
    if not all(kind.is_numeric() for kind in empty) and (None in zones or len(zones) > 1):
        return pl.String()
    return pl.concat(empty.values(), how="vertical_relaxed")["one"].dtype


def _zone(kind: pl.DataType) -> str | None:
    """The time zone of a timestamp, "none" for one without; None for what is no timestamp."""
    return (kind.time_zone or "none") if isinstance(kind, pl.Datetime) else None


def _told(unreadable: pl.DataFrame, table: TableContract | None) -> str:
    if table is not None and sensitive(table):
        unreadable = masked_columns(
            unreadable, {"received"}
        )  # nobody knows which columns a broken line holds
    lines = [
        f"line {line}: expected {expected}, received {received}"
        for line, expected, received in unreadable.head(_LINES_SHOWN)
        .select("line", "expected", "received")
        .iter_rows()
    ]
    more = unreadable.height - len(lines)
    listed = "\n  - ".join([*lines, *([f"and {more} more"] if more > 0 else [])])
    count = f"{unreadable.height} line{'s' if unreadable.height != 1 else ''}"
    return f"{count} cannot be read as rows; mend them first\n  - {listed}"

"""Rows of a CSV body: every cell is text, read as its column's type in the contract as tables are read."""

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Any

import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.faults import fault
from seatrial.contract.model import TableContract
from seatrial.errors import RequestInvalid
from seatrial.web.scoring.json_cells import json_cell
from seatrial.web.scoring.mlflow_bodies import Rows, named_rows, unique
from seatrial.web.scoring.refusals import malformed


def csv_rows(text: bytes, table: TableContract, names: Sequence[str]) -> Rows:
    """The rows under the header line; an empty cell is null.

    A cell that cannot be read as its type, and one of a column that the contract does not know, stays text, so that
    the contract's decoder names it. Raises Refusal (400) when it is no CSV in UTF-8, RequestInvalid when there are
    no rows and columns that are not among `names`: no row would have told.
    """
    try:
        lines = list(csv.reader(StringIO(text.decode("utf-8-sig"), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise malformed(f"expected CSV in UTF-8: {error}") from error
    if not lines:
        raise malformed("expected CSV with a line of column names first, got nothing")
    header, *data = lines
    unique(header)
    if not any(data):
        _check_names(header, names)
    # A blank line is none; of a single column it would be an empty cell, which says nothing either.
    rows = named_rows(header, [cells for cells in data if cells])
    columns = {name: _typed(table, name, [row[name] or None for row in rows]) for name in header}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _check_names(header: Sequence[str], names: Sequence[str]) -> None:
    expected = f"one of {', '.join(names)}"
    strange = [
        fault(None, name, expected, "no such field", quoted=False) for name in header if name not in names
    ]
    if strange:
        raise RequestInvalid(strange)


def _typed(table: TableContract, name: str, cells: Sequence[str | None]) -> Sequence[Any]:
    column = table.column(name)
    if column is None:
        return cells
    cast = cast_column("cell", column.type, pl.String())
    assert not isinstance(cast, str)  # every type can be read from text
    broken = pl.lit(False) if cast.broken is None else cast.broken.fill_null(False)
    frame = pl.DataFrame({"cell": cells}, schema={"cell": pl.String})
    read = frame.select(cast.value.alias("value"), broken.alias("broken"))
    pairs = zip(cells, read["value"].to_list(), read["broken"].to_list(), strict=True)
    values = [cell if is_broken else value for cell, value, is_broken in pairs]
    return [json_cell(column, value) for value in values]

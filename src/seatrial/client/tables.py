"""Tables of any library as Arrow streams, and the answers in them; Polars is loaded only here."""

import io
import sys
from collections.abc import Sequence
from typing import Any

import polars as pl

from seatrial.client.answers import Prediction
from seatrial.errors import RequestInvalid, ServerFailed


def frame_of(table: Any) -> pl.DataFrame:
    """The table as a frame; what pandas holds as missing (NaN, NaT, None, NA) is null.

    Raises RequestInvalid for a table that cannot be read.
    """
    pandas = sys.modules.get("pandas")
    if isinstance(table, pl.DataFrame):
        return table
    if pandas is not None and isinstance(table, pandas.DataFrame):
        return pl.DataFrame([_series(str(name), table[name]) for name in table.columns])
    return pl.DataFrame(table)


def stream_of(frame: pl.DataFrame) -> bytes:
    """An Arrow IPC stream that every Arrow library reads: views and categories become plain text."""
    plain = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)) if _coded(frame) else frame
    buffer = io.BytesIO()
    plain.write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
    return buffer.getvalue()


def rows_of(stream: bytes, numbers: Sequence[int]) -> bytes:
    """Some rows of an Arrow stream, as another."""
    return stream_of(pl.read_ipc_stream(io.BytesIO(stream))[list(numbers)])


def predictions_in(stream: bytes) -> list[Prediction]:
    """The answered rows of an Arrow stream. Raises ServerFailed when it is none, or lacks a column."""
    try:
        frame = pl.read_ipc_stream(io.BytesIO(stream)).select(Prediction.__struct_fields__)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ServerFailed("the server answered 200 with an Arrow stream that cannot be read") from error
    plain = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)) if _coded(frame) else frame
    return [Prediction(*values) for values in plain.iter_rows()]


def _coded(frame: pl.DataFrame) -> bool:
    return any(kind in (pl.Categorical, pl.Enum) for kind in frame.dtypes)


def _series(name: str, column: Any) -> pl.Series:
    """A pandas column; text and times go value by value, because Polars takes them whole only with pyarrow."""
    if column.dtype.kind in "biuf" and not hasattr(column.array, "_mask"):
        return pl.Series(name, column.to_numpy(), nan_to_null=True)
    values = [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]
    try:
        return pl.Series(name, values)
    except (TypeError, pl.exceptions.PolarsError) as error:
        expected = "values of one type"
        fault = {"row": 0, "field": name, "expected": expected, "received": f"a column of {column.dtype}"}
        raise RequestInvalid([fault]) from error

"""Arrow streams on the native door: rows from one, answers as one."""

from io import BytesIO
from typing import Any

import polars as pl

from seatrial.contract.model import TableContract
from seatrial.serve.request import Answers
from seatrial.web.scoring.arrow_columns import Parts, column_values
from seatrial.web.scoring.arrow_stream import NoStream, TooManyRows, read_stream
from seatrial.web.scoring.json_cells import json_cell
from seatrial.web.scoring.mlflow_bodies import unique
from seatrial.web.scoring.refusals import malformed, too_many

ARROW_STREAM = "application/vnd.apache.arrow.stream"
Row = dict[str, Any]

_ANSWER: dict[str, Any] = {
    "row": pl.Int64,
    "prediction_id": pl.String,
    "key": pl.String,
    "score": pl.Float64,
    "decision": pl.Boolean,
    "release": pl.String,
    "variant": pl.String,
    "fallback": pl.String,
}


def arrow_rows(body: bytes, table: TableContract | None = None, *, limit: int = 10_000) -> list[Row]:
    """The rows of an Arrow IPC stream; see `arrow_columns`."""
    return rows_of(arrow_columns(body, table, limit=limit)[0])


def rows_of(columns: dict[str, list[Any]]) -> list[Row]:
    """The rows of columns."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def arrow_columns(
    body: bytes, table: TableContract | None = None, *, limit: int = 10_000
) -> tuple[dict[str, list[Any]], int]:
    """The columns of an Arrow IPC stream, as the contract's decoder takes them: text, numbers, aware times, dates.

    And how many rows they have.

    Columns that are arrays or objects in `table` are text in JSON. Times without a zone stay without one, for the
    contract to refuse; moments beyond the calendar stay numbers.

    Raises Refusal: 400 for anything but one whole stream of flat, plain columns, 413 for more than `limit` rows.
    """
    try:
        fields, batches = read_stream(body, limit)
        unique([field.name for field in fields])
        parts = Parts()
        columns: dict[str, list[Any]] = {field.name: [] for field in fields}
        for batch in batches:
            parts.turn(batch)
            for field in fields:
                columns[field.name] += column_values(field, batch.rows, parts)
    except NoStream as error:
        raise malformed(f"expected an Arrow IPC stream: {error}") from error
    except TooManyRows as error:
        raise too_many(error.rows, limit) from error
    for column in () if table is None else table.columns:
        if column.name in columns and column.type in ("array", "object"):
            columns[column.name] = [json_cell(column, value) for value in columns[column.name]]
    return columns, sum(batch.rows for batch in batches)


def arrow_answer(answers: Answers) -> bytes:
    """The answers as an Arrow IPC stream: one row each, with the members that they have in JSON."""
    frame = pl.DataFrame(
        {name: [getattr(one, name) for one in answers.predictions] for name in _ANSWER},
        schema=_ANSWER,
    )
    stream = BytesIO()
    # Text as offsets and bytes: older readers know no views.
    frame.write_ipc_stream(stream, compat_level=pl.CompatLevel.oldest())
    return stream.getvalue()

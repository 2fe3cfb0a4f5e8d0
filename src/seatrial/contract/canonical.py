"""Values of any shape as text: equal values give equal text, whoever brings them."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.model import TableContract


def canonical_json(value: Any) -> str:
    """JSON without blanks, names in order; what JSON cannot say becomes text, NaN becomes null."""
    return msgspec.json.encode(value, order="sorted", enc_hook=str).decode()


def json_text(value: object, kind: type) -> str | None:
    """A list or dict (`kind`), or the JSON text of one, in canonical form; None for anything else."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return None
    if not isinstance(value, kind):
        return None
    try:
        return canonical_json(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


def canonical_column(kind: type) -> Callable[[pl.Series], pl.Series]:
    """From a column of JSON text, lists or structs to one of canonical JSON; null where it is none."""

    def canonical(column: pl.Series) -> pl.Series:
        texts = [None if value is None else json_text(value, kind) for value in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)

    return canonical


def json_rows(table: TableContract, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Stored rows as a request says them: arrays and objects are lists and dicts again, not their text."""
    names = [c.name for c in table.columns if c.type in ("array", "object") and c.name in frame.columns]
    rows = frame.to_dicts()
    for row in rows if names else ():
        row |= {name: msgspec.json.decode(row[name]) for name in names if row[name] is not None}
    return rows


def row_json(row: dict[str, Any]) -> str:
    """A row as JSON, its columns in order; numbers without end as text, so that they are not taken for missing."""
    plain = {
        name: repr(value) if isinstance(value, float) and math.isinf(value) else value
        for name, value in row.items()
    }
    return msgspec.json.encode(plain, enc_hook=str).decode()

"""Values that were erased, known by their commitments alone, kept out of what is delivered again."""

import hashlib
import re
import secrets
from collections.abc import Iterable

import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.model import TableContract
from seatrial.facts.erasure import Erasure

_WHOLE = 2.0**53
# What may stand between two values in a line of a file, or in JSON (where a tab is written with a backslash).
_BETWEEN = re.compile(r"""[,;|"'\[\]{}]|: |\\[tnr"]""")
_MOMENT = "%Y-%m-%dT%H:%M:%S%.6fZ"


def fresh_salt() -> str:
    """A salt for commitments."""
    return secrets.token_hex(16)


def commitment_of(salt: str, text: str) -> str:
    """`sha256:<hex>` over the salt and a value's text, as `texts` gives it."""
    return "sha256:" + hashlib.sha256(f"{salt}\0{text}".encode()).hexdigest()


def texts(values: pl.Series) -> pl.Series:
    """One text per value, the same in whatever type it is stored: 42, "42" and 42.0 are 42, moments are in UTC."""
    dtype = values.dtype
    if dtype.is_float():
        column = pl.col(values.name)
        whole = column.is_finite() & (column.round() == column) & (column.abs() < _WHOLE)
        number = pl.when(whole).then(pl.when(whole).then(column).cast(pl.Int64).cast(pl.String))
        return values.to_frame().select(number.otherwise(column.cast(pl.String)))[values.name]
    if isinstance(dtype, pl.Datetime):
        moments = values if dtype.time_zone is None else values.dt.convert_time_zone("UTC")
        return moments.dt.strftime(_MOMENT)
    if dtype.is_nested() or dtype == pl.Binary:
        return pl.Series(values.name, [None] * len(values), dtype=pl.String)
    return values.cast(pl.String).str.strip_chars()


def text_of(value: object) -> str | None:
    """The text of one value; None for what has none."""
    written: str | None = texts(pl.Series([value]))[0]
    return written


def contract_texts(values: pl.Series, table: TableContract | None, column: str) -> list[pl.Series]:
    """The values' texts as they were delivered and, where the contract declares the column, in its type."""
    found = [texts(values)]
    declared = table.column(column) if table else None
    cast = cast_column(values.name, declared.type, values.dtype) if declared else None
    if cast is not None and not isinstance(cast, str):
        found.append(texts(values.to_frame().select(cast.value.alias(values.name))[values.name]))
    return found


def suppressed(
    frame: pl.DataFrame, erasures: Iterable[Erasure], table: TableContract | None = None
) -> tuple[pl.DataFrame, int]:
    """The rows whose values were not erased, in order, and how many others there were.

    With `table`, the contract of the frame's source, the columns are those in which that source was searched, and
    values are compared in their contract types as well as in the ones delivered.
    """
    by_column: dict[tuple[str, str], set[str]] = {}
    for erasure in erasures:
        for column in _columns(erasure, table):
            by_column.setdefault((column, erasure.salt), set()).add(erasure.commitment)
    kept = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    for (column, salt), commitments in by_column.items():
        if column in frame.columns:
            for written in contract_texts(frame[column], table, column):
                kept &= ~_committed(written, salt, commitments)
    dropped = frame.height - int(kept.sum())
    return (frame.filter(kept), dropped) if dropped else (frame, 0)


def suppressed_lines(
    unreadable: pl.DataFrame, erasures: Iterable[Erasure], source: str
) -> tuple[pl.DataFrame, int]:
    """What could not be read as rows, less what names an erased value between separators, and how many those were."""
    ours = [erasure for erasure in erasures if source in erasure.columns]
    by_salt: dict[str, set[str]] = {}
    for erasure in ours:
        by_salt.setdefault(erasure.salt, set()).add(erasure.commitment)
    kept = [not _names_erased(row, by_salt) for row in unreadable["row"]]
    left = unreadable.filter(pl.Series(kept, dtype=pl.Boolean))
    return left, unreadable.height - left.height


def _names_erased(row: str | None, by_salt: dict[str, set[str]]) -> bool:
    pieces = {piece.strip() for piece in _BETWEEN.split(row or "")} - {""}
    return any(commitment_of(salt, one) in gone for salt, gone in by_salt.items() for one in pieces)


def _columns(erasure: Erasure, table: TableContract | None) -> set[str]:
    if table is not None:
        return set(erasure.columns.get(table.name, ()))
    return {column for columns in erasure.columns.values() for column in columns}


def _committed(written: pl.Series, salt: str, commitments: set[str]) -> pl.Series:
    gone = [one for one in written.unique().drop_nulls() if commitment_of(salt, one) in commitments]
    return (
        written.is_in(gone).fill_null(False) if gone else pl.Series([False]).new_from_index(0, len(written))
    )

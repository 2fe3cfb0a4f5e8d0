"""Values that were erased, known by their commitments alone, kept out of what is delivered again."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.model import TableContract
from seatrial.facts.erasure import Erasure

_WHOLE = 2.0**53
# What may stand between two values in a line of a file, or in JSON (where a tab is written with a backslash).
_BETWEEN = re.compile(r"""[,;|"'\[\]{}]|: |\\[tnr"]""")
# Of how many pieces of a line a value may be made.
_LONGEST_RUN = 6
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


def can_name(dtype: pl.DataType | type[pl.DataType]) -> bool:
    """Whether values of the type may name a person or a thing: texts and whole numbers."""
    return dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_integer()


def leaves(value: Any) -> Iterator[Any]:
    """The values inside a value of JSON, and the names of its fields."""
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def suppressed(
    frame: pl.DataFrame, erasures: Iterable[Erasure], table: TableContract | None = None
) -> tuple[pl.DataFrame, int]:
    """The rows whose values were not erased, in order, and how many others there were.

    With `table`, the contract of the frame's source, the columns are those in which that source was searched, and
    values are compared in their contract types as well as in the ones delivered. The frame may be as it was
    delivered, or in contract types. Where a column that was searched is gone, each one that came since may be the
    same under a new name: those of text and of whole numbers are searched as well, and of a source that came
    since those that are named as a column that was searched.
    """
    by_column: dict[tuple[str, str], set[str]] = {}
    for erasure in erasures:
        for column in _columns(erasure, table, frame):
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
    ours = [one for one in erasures if source in one.columns or _came_since(one, source)]
    by_salt = _by_salt(ours)
    kept = [not _names_erased(row, by_salt) for row in unreadable["row"]]
    left = unreadable.filter(pl.Series(kept, dtype=pl.Boolean))
    return left, unreadable.height - left.height


def suppressed_aside(
    quarantined: pl.DataFrame, erasures: Iterable[Erasure], table: TableContract
) -> tuple[pl.DataFrame, int]:
    """What is put aside, less rows with an erased value in a column that is not declared, and how many those were.

    `quarantined` has the columns of facts.tables.QUARANTINE. Declared columns are looked at by `suppressed`.
    """
    by_salt = _by_salt(erasures)
    if quarantined.is_empty() or not by_salt:
        return quarantined, 0
    gone = {row for row in quarantined["row"].unique() if _holds_beside(row, table, by_salt)}
    if not gone:
        return quarantined, 0
    hit = quarantined["row"].is_in([*gone])
    return quarantined.filter(~hit), quarantined.filter(hit)["line"].n_unique()


def _holds_beside(row: str, table: TableContract, by_salt: Mapping[str, set[str]]) -> bool:
    values = decoded(row)
    if not isinstance(values, dict):
        return False
    beside = [one for name, one in values.items() if table.column(name) is None]
    found = {text for value in beside for one in leaves(value) if (text := _named_by(one)) is not None}
    return _any_committed(found, by_salt)


def _named_by(value: Any) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value).strip() if whole or isinstance(value, str) else None


def _names_erased(row: str | None, by_salt: Mapping[str, set[str]]) -> bool:
    if row is None:
        return False
    # As JSON, and as it was before: with quotes that were doubled in a line of a file.
    said = [one for one in leaves(decoded(row)) if isinstance(one, str)]
    told = {row, *said, *(one.replace('""', '"') for one in said)}
    return _any_committed({run for text in told for run in _runs(text)}, by_salt)


def _runs(text: str) -> Iterator[str]:
    """The pieces between separators, one by one and with their neighbours: a value may hold separators itself."""
    ends = [match.span() for match in _BETWEEN.finditer(text)]
    starts = [0, *(end for _, end in ends)]
    stops = [*(start for start, _ in ends), len(text)]
    pieces = [(one, other) for one, other in zip(starts, stops, strict=True) if text[one:other].strip()]
    yield text.strip()
    for place, (start, _) in enumerate(pieces):
        for _, stop in pieces[place : place + _LONGEST_RUN]:
            yield text[start:stop].strip()


def _by_salt(erasures: Iterable[Erasure]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for erasure in erasures:
        found.setdefault(erasure.salt, set()).add(erasure.commitment)
    return found


def _any_committed(found: Iterable[str], by_salt: Mapping[str, set[str]]) -> bool:
    return any(commitment_of(salt, one) in gone for one in found for salt, gone in by_salt.items())


def decoded(row: str) -> Any:
    """What a row put aside was: a row by its columns, a line, or whatever else JSON says."""
    try:
        return json.loads(row)
    except ValueError:
        return row


def _columns(erasure: Erasure, table: TableContract | None, frame: pl.DataFrame) -> set[str]:
    if table is None:
        return {column for columns in erasure.columns.values() for column in columns}
    if _came_since(erasure, table.name):
        return {column for columns in erasure.columns.values() for column in columns}
    searched = set(erasure.columns.get(table.name, ()))
    return searched | _renamed(erasure, table.name, searched, frame) if searched else searched


def _came_since(erasure: Erasure, source: str) -> bool:
    """Whether the source was not declared when the value was erased."""
    return bool(erasure.declared) and source not in {*erasure.declared, *erasure.columns}


def _renamed(erasure: Erasure, source: str, searched: set[str], frame: pl.DataFrame) -> set[str]:
    """Columns that came since the erasure, where one that was searched then is there no more."""
    declared = set(erasure.declared.get(source, ()))
    there = searched & declared
    if not declared or (there and there <= {*frame.columns}):
        return set()
    return {name for name, dtype in frame.schema.items() if name not in declared and can_name(dtype)}


def _committed(written: pl.Series, salt: str, commitments: set[str]) -> pl.Series:
    gone = [one for one in written.unique().drop_nulls() if commitment_of(salt, one) in commitments]
    return (
        written.is_in(gone).fill_null(False) if gone else pl.Series([False]).new_from_index(0, len(written))
    )

"""The contract over a request: rows from JSON or Python, checked as tables are, every fault named.

Requests are strict where tables are lenient: no numbers as text, no 1 for true, no unknown fields, times in
RFC 3339 with their zone. Rules of severity warning let a row pass here too. Uniqueness is a matter of tables.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Optional

import msgspec

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.sanity import LARGEST_INT, SMALLEST_INT, full_match, whole_bounds
from seatrial.contract.wording import column_words
from seatrial.errors import NotFound, RequestInvalid

Row = dict[str, Any]
Fault = dict[str, object]

_LARGEST = 1.7976931348623157e308
_SHOWN = 80


class RowDecoder:
    """Decodes rows that hold `columns` of a table. Safe to call from several threads.

    The common case, in which all rows are sound, is one pass in C; only faulty rows are looked at field by field.
    """

    def __init__(self, table: TableContract, columns: Sequence[str]) -> None:
        self._columns = tuple(_column(table, name) for name in columns)
        self._names = tuple(columns)
        self._types = {column.name: _field_type(column) for column in self._columns}
        self._moments = tuple(column.name for column in self._columns if column.type == "timestamp")
        self._row = _row_type(self._columns, self._types)
        self._rows = list[self._row]  # type: ignore[name-defined]  # the struct is made when this runs
        self._json = msgspec.json.Decoder(self._rows)

    def decode_json(self, body: bytes | msgspec.Raw) -> list[Row]:
        """The rows of a JSON array of objects: every column of the decoder, null where it was left out.

        Times come out as aware datetimes in UTC. Raises RequestInvalid with every faulty row and field.
        """
        try:
            return [self._plain(row) for row in self._json.decode(body)]
        except msgspec.MsgspecError:
            return self.convert(_objects(body))

    def convert(self, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """The same for rows that are Python objects already. Raises RequestInvalid."""
        good, faults = self.partial(rows)
        if faults:
            raise RequestInvalid(faults)
        return [row for _, row in good]

    def partial(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Row]], list[Fault]]:
        """The sound rows with their positions, and the faults of the others (row, field, expected, received)."""
        try:
            converted = msgspec.convert(rows, self._rows)
        except msgspec.ValidationError:
            return self._one_by_one(rows)
        return [(index, self._plain(row)) for index, row in enumerate(converted)], []

    def _one_by_one(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Row]], list[Fault]]:
        good: list[tuple[int, Row]] = []
        faults: list[Fault] = []
        for index, row in enumerate(rows):
            try:
                good.append((index, self._plain(msgspec.convert(row, self._row))))
            except msgspec.ValidationError as error:
                found = self._faults(index, row)
                faults += found or [
                    _fault(index, "", "a row that fits the contract", str(error), quoted=False)
                ]
        return good, faults

    def _plain(self, row: Any) -> Row:
        plain = dict(zip(self._names, msgspec.structs.astuple(row), strict=True))
        for name in self._moments:
            if plain[name] is not None:
                plain[name] = plain[name].astimezone(UTC)
        return plain

    def _faults(self, index: int, row: Any) -> list[Fault]:
        if not isinstance(row, Mapping):
            return [_fault(index, "", "an object with one field per column", row)]
        missing = [
            _fault(index, column.name, column_words(column), "no such field", quoted=False)
            for column in self._columns
            if column.required and column.name not in row
        ]
        wrong = [
            _fault(index, column.name, column_words(column), row[column.name])
            for column in self._columns
            if column.name in row and not self._fits(column.name, row[column.name])
        ]
        unknown = [
            _fault(index, str(name), self._no_such(str(name)), row[name])
            for name in row
            if name not in self._types
        ]
        return [*missing, *wrong, *unknown]

    def _fits(self, name: str, value: Any) -> bool:
        try:
            msgspec.convert(value, self._types[name])
        except msgspec.ValidationError:
            return False
        return True

    def _no_such(self, name: str) -> str:
        near = get_close_matches(name, self._names, n=1)
        return (
            f"no such field; did you mean {near[0]}?"
            if near
            else f"no such field, but {', '.join(self._names)}"
        )


def _column(table: TableContract, name: str) -> ColumnContract:
    column = table.column(name)
    if column is None:
        raise NotFound(f"the contract's table {table.name} has no column {name}")
    return column


def _row_type(columns: Sequence[ColumnContract], types: Mapping[str, Any]) -> Any:
    """A struct of the columns; its own field names are numbered, because a column's name may be any text."""
    fields = [
        (f"c{index}", types[column.name]) if column.required else (f"c{index}", types[column.name], None)
        for index, column in enumerate(columns)
    ]
    names = {f"c{index}": column.name for index, column in enumerate(columns)}
    return msgspec.defstruct("Row", fields, kw_only=True, forbid_unknown_fields=True, rename=names)


def _field_type(column: ColumnContract) -> Any:
    """The type that accepts exactly what a table's check would keep, of the values that JSON can say."""
    kind = _TYPES[column.type](column, strict=column.severity == "error")
    return kind if column.required else Optional[kind]  # noqa: UP045 - the type is made when this runs


def _string(column: ColumnContract, *, strict: bool) -> Any:
    if not strict:
        return str
    if column.values is not None:
        return Literal[column.values]
    pattern = full_match(column.pattern) if column.pattern is not None else None
    return Annotated[str, msgspec.Meta(pattern=pattern, max_length=column.max_length)]


def _float(column: ColumnContract, *, strict: bool) -> Any:
    low = column.minimum if strict and column.minimum is not None else -_LARGEST
    high = column.maximum if strict and column.maximum is not None else _LARGEST
    return Annotated[float, msgspec.Meta(ge=low, le=high)]


def _int(column: ColumnContract, *, strict: bool) -> Any:
    low, high = whole_bounds(column) if strict else (SMALLEST_INT, LARGEST_INT)
    return Annotated[int, msgspec.Meta(ge=low, le=high)]


def _bool(column: ColumnContract, *, strict: bool) -> Any:  # noqa: ARG001 - one signature for every type
    return bool


def _timestamp(column: ColumnContract, *, strict: bool) -> Any:  # noqa: ARG001 - one signature for every type
    return Annotated[datetime, msgspec.Meta(tz=True)]


_TYPES = {"string": _string, "float": _float, "int": _int, "bool": _bool, "timestamp": _timestamp}


def _objects(body: bytes | msgspec.Raw) -> list[Any]:
    try:
        rows = msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise RequestInvalid(
            [_fault(None, "", "a JSON array of objects", str(error), quoted=False)]
        ) from error
    if not isinstance(rows, list):
        raise RequestInvalid([_fault(None, "", "a JSON array of objects", rows)])
    return rows


def _fault(row: int | None, field: str, expected: str, received: object, *, quoted: bool = True) -> Fault:
    shown = _shown(received) if quoted else str(received)
    return {"row": row, "field": field, "expected": expected, "received": shown}


def _shown(value: object) -> str:
    try:
        text = msgspec.json.encode(value, enc_hook=repr).decode()
    except (TypeError, ValueError, OverflowError):
        text = repr(value)
    if isinstance(value, float) and not math.isfinite(value):
        text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

"""The contract over a request: rows from JSON or Python, checked as tables are, every fault named.

Requests are strict where tables are lenient: no numbers as text, no 1 for true, no unknown fields, times in
RFC 3339 with their zone. Rules of severity warning let a row pass here too. Uniqueness, keys of other tables and
times in the future are a matter of tables.
"""

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.expressions import row_rule_expression
from seatrial.contract.fields import Unfit, field_steps, field_type
from seatrial.contract.masking import masked_faults
from seatrial.contract.model import ColumnContract, RowRule, TableContract
from seatrial.contract.types import polars_type
from seatrial.contract.wording import column_words
from seatrial.errors import NotFound, RequestInvalid

Row = dict[str, Any]
Fault = dict[str, object]

_SHOWN = 80
_NOT_FIT = (msgspec.MsgspecError, Unfit)


class RowDecoder:
    """Decodes rows that hold `columns` of a table. Safe to call from several threads.

    The common case, in which all rows are sound, is one pass in C; only faulty rows are looked at field by field.
    Rules in SQL are judged for all rows of a request together, where the decoder has every column they read.
    """

    def __init__(self, table: TableContract, columns: Sequence[str]) -> None:
        self._table = table
        self._columns = tuple(_column(table, name) for name in columns)
        self._names = tuple(columns)
        self._types = {column.name: field_type(column) for column in self._columns}
        steps = {column.name: field_steps(column) for column in self._columns}
        self._steps = {name: found for name, found in steps.items() if found}
        self._rules = _RowRules(table, self._columns)
        self._row = _row_type(self._columns, self._types)
        self._rows = list[self._row]  # type: ignore[name-defined]  # the struct is made when this runs
        self._json = msgspec.json.Decoder(self._rows)

    def decode_json(self, body: bytes | msgspec.Raw) -> list[Row]:
        """The rows of a JSON array of objects: every column of the decoder, null where it was left out.

        Times come out as aware datetimes in UTC, times of day, arrays and objects as text in one form. Raises
        RequestInvalid with every faulty row and field.
        """
        try:
            rows = [self._plain(row) for row in self._json.decode(body)]
        except _NOT_FIT:
            return self.convert(self._objects(body))
        return rows if not self._rules.broken(rows) else self.convert(self._objects(body))

    def convert(self, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """The same for rows that are Python objects already. Raises RequestInvalid."""
        good, faults = self.partial(rows)
        if faults:
            raise RequestInvalid(faults)
        return [row for _, row in good]

    def partial(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Row]], list[Fault]]:
        """The sound rows with their positions, and the faults of the others (row, field, expected, received).

        Faults show no value of a column that the contract classifies.
        """
        good, faults = self._judged(rows)
        return good, masked_faults(self._table, faults)

    def _judged(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Row]], list[Fault]]:
        try:
            plain = [self._plain(row) for row in msgspec.convert(rows, self._rows)]
        except _NOT_FIT:
            good, faults = self._one_by_one(rows)
        else:
            good, faults = list(enumerate(plain)), list[Fault]()
        broken = self._rules.broken([row for _, row in good])
        fallen = {good[place][0] for place, _ in broken}
        faults += [self._rules.fault(*good[place], rule) for place, rule in broken]
        return [one for one in good if one[0] not in fallen], faults

    def _objects(self, body: bytes | msgspec.Raw) -> list[Any]:
        try:
            rows = msgspec.json.decode(body)
        except msgspec.MsgspecError as error:
            raise RequestInvalid(
                [_fault(None, "", "a JSON array of objects", str(error), quoted=False)]
            ) from error
        if not isinstance(rows, list):
            fault = _fault(None, "", "a JSON array of objects", rows)
            raise RequestInvalid(masked_faults(self._table, [fault]))
        return rows

    def _one_by_one(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Row]], list[Fault]]:
        good: list[tuple[int, Row]] = []
        faults: list[Fault] = []
        for index, row in enumerate(rows):
            try:
                good.append((index, self._plain(msgspec.convert(row, self._row))))
            except _NOT_FIT as error:
                found = self._faults(index, row)
                faults += found or [
                    _fault(index, "", "a row that fits the contract", str(error), quoted=False)
                ]
        return good, faults

    def _plain(self, row: Any) -> Row:
        plain = dict(zip(self._names, msgspec.structs.astuple(row), strict=True))
        for name, steps in self._steps.items():
            if plain[name] is not None:
                for step in steps:
                    plain[name] = step(plain[name])
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
            found = msgspec.convert(value, self._types[name])
            for step in self._steps.get(name, ()) if found is not None else ():
                found = step(found)
        except _NOT_FIT:
            return False
        return True

    def _no_such(self, name: str) -> str:
        near = get_close_matches(name, self._names, n=1)
        return (
            f"no such field; did you mean {near[0]}?"
            if near
            else f"no such field, but {', '.join(self._names)}"
        )


class _RowRules:
    """The rules in SQL whose columns are all there; rows are in the contract's types."""

    def __init__(self, table: TableContract, columns: Sequence[ColumnContract]) -> None:
        self._schema = {column.name: polars_type(column.type) for column in columns}
        self._rules: list[tuple[RowRule, pl.Expr, tuple[str, ...]]] = []
        for rule in table.row_rules:
            holds, reads = row_rule_expression(table, rule)
            if rule.severity == "error" and set(reads) <= self._schema.keys():
                self._rules.append((rule, holds, reads))

    def broken(self, rows: Sequence[Row]) -> list[tuple[int, int]]:
        """Places of rows, each with the number of a rule that it breaks."""
        if not self._rules or not rows:
            return []
        frame = pl.DataFrame(rows, schema=self._schema)
        flags = frame.select(
            (~holds).fill_null(False).alias(str(number)) for number, (_, holds, _) in enumerate(self._rules)
        )
        return sorted(
            (place, number)
            for number in range(len(self._rules))
            for place in flags[str(number)].arg_true().to_list()
        )

    def fault(self, index: int, row: Row, number: int) -> Fault:
        """What the row at `index` of the request did wrong."""
        rule, _, reads = self._rules[number]
        return _fault(index, ", ".join(reads), rule.expression, {name: row[name] for name in reads})


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

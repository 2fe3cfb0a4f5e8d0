"""The contract over a request: rows from JSON or Python, checked as tables are, every fault named.

Requests are strict where tables are lenient: no numbers as text, no 1 for true, no unknown fields, times in
RFC 3339 with their zone. Rules of severity warning let a row pass here too. Uniqueness, keys of other tables and
times in the future are a matter of tables.
"""

import types
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec.structs import astuple

from seatrial.contract.faults import Fault, fault
from seatrial.contract.fields import Step, Unfit, field_steps, field_type, logical
from seatrial.contract.masking import masked_faults
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.row_rules import Physical, RowRules
from seatrial.contract.wording import column_words
from seatrial.errors import NotFound, RequestInvalid

Row = dict[str, Any]

# Python raises the last two for values that no JSON text holds, and for JSON that is nested without end.
_NOT_FIT = (msgspec.MsgspecError, Unfit, UnicodeError, RecursionError)


class Sent(msgspec.Struct, frozen=True):
    """A request's rows as physical values in the order of the decoder's names, and what it asks for beside."""

    rows: list[Physical]
    partial: bool
    idempotency_key: str | None


class RowDecoder:
    """Decodes rows that hold `columns` of a table. Safe to call from several threads.

    The common case, in which all rows are sound, is one pass in C; only faulty rows are looked at field by field.
    Rules in SQL are judged for all rows of a request together, where the decoder has every column they read.
    `names` are the columns, in the order of physical rows. A physical row holds what Polars stores: texts, floats,
    whole numbers, yes and no as they are, timestamps as whole microseconds since 1970 in UTC, dates as whole days.
    """

    def __init__(self, table: TableContract, columns: Sequence[str]) -> None:
        self._table = table
        self._columns = tuple(_column(table, name) for name in columns)
        self.names = tuple(columns)
        self._types = {column.name: field_type(column) for column in self._columns}
        self._lists = {name: types.GenericAlias(list, (kind,)) for name, kind in self._types.items()}
        steps = {column.name: field_steps(column) for column in self._columns}
        self._steps = {name: found for name, found in steps.items() if found}
        self._stepped = [(self.names.index(name), found) for name, found in self._steps.items()]
        self._logical = _placed(self._columns)
        self._texts = [place for place, column in enumerate(self._columns) if column.type == "string"]
        self._rules = RowRules(table, self._columns)
        self._row = _row_type(self._columns, self._types)
        self._rows = list[self._row]  # type: ignore[name-defined]  # the struct is made when this runs
        self._json = msgspec.json.Decoder(self._rows)
        self._envelope = msgspec.json.Decoder(_envelope_type(self._rows))

    def physical_json(self, body: bytes | msgspec.Raw) -> Sent | None:
        """A JSON object of `rows`, `partial` (default false) and `idempotency_key` (default null), in one pass.

        None when anything does not fit: `physical` tells what, of the rows.
        """
        try:
            sent = self._envelope.decode(body)
            rows = self._physical(sent.rows)
        except _NOT_FIT:
            return None
        if self._rules and self._rules.broken(rows):
            return None
        return Sent(rows, sent.partial, sent.idempotency_key)

    def physical_columns(self, columns: Mapping[str, list[Any]], rows: int) -> list[Physical] | None:
        """The rows of a table that came by column, each as long as `rows`.

        None when anything does not fit: `physical` tells what, of the rows.
        """
        if columns.keys() - self._types.keys():
            return None
        found: list[Sequence[Any]] = []
        try:
            for column in self._columns:
                values = columns.get(column.name)
                if values is None and column.required:
                    return None
                found.append(
                    [None] * rows if values is None else msgspec.convert(values, self._lists[column.name])
                )
            whole = [self._through(row) for row in zip(*found, strict=True)]
            sound = self._speakable(whole)
        except _NOT_FIT:
            return None
        return None if self._rules and self._rules.broken(sound) else sound

    def physical(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Physical]], list[Fault]]:
        """The sound rows with their positions, and the faults of the others (row, field, expected, received).

        Faults show no value of a column that the contract classifies.
        """
        good, faults = self._judged(rows)
        return good, masked_faults(self._table, faults)

    def partial(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Row]], list[Fault]]:
        """The same with the sound rows as mappings of Python values."""
        good, faults = self.physical(rows)
        return [(index, self._plain(row)) for index, row in good], faults

    def decode_json(self, body: bytes | msgspec.Raw) -> list[Row]:
        """The rows of a JSON array of objects: every column of the decoder, null where it was left out.

        Times come out as aware datetimes in UTC, times of day, arrays and objects as text in one form. Raises
        RequestInvalid with every faulty row and field.
        """
        try:
            rows = self._physical(self._json.decode(body))
        except _NOT_FIT:
            return self.convert(self._objects(body))
        if self._rules.broken(rows):
            return self.convert(self._objects(body))
        return [self._plain(row) for row in rows]

    def convert(self, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """The same for rows that are Python objects already. Raises RequestInvalid."""
        good, faults = self.partial(rows)
        if faults:
            raise RequestInvalid(faults)
        return [row for _, row in good]

    def _physical(self, rows: Sequence[Any]) -> list[Physical]:
        found = list(map(astuple, rows))
        return [self._through(row) for row in found] if self._stepped else found

    def _through(self, row: Physical) -> Physical:
        values: list[Any] | None = None
        for place, steps in self._stepped:
            value = row[place]
            if value is not None:
                for step in steps:
                    value = step(value)
                values = list(row) if values is None else values
                values[place] = value
        return row if values is None else tuple(values)

    def _plain(self, row: Physical) -> Row:
        plain = dict(zip(self.names, row, strict=True))
        for name, step in self._logical:
            if plain[name] is not None:
                plain[name] = step(plain[name])
        return plain

    def _judged(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Physical]], list[Fault]]:
        try:
            found = self._speakable(self._physical(msgspec.convert(rows, self._rows)))
        except _NOT_FIT:
            good, faults = self._one_by_one(rows)
        else:
            good, faults = list(enumerate(found)), list[Fault]()
        broken = self._rules.broken([row for _, row in good])
        fallen = {good[place][0] for place, _ in broken}
        faults += [self._broken_rule(*good[place], rule) for place, rule in broken]
        return [one for one in good if one[0] not in fallen], faults

    def _speakable(self, rows: list[Physical]) -> list[Physical]:
        """The rows as they are. Raises UnicodeError for texts that Python can hold and UTF-8 cannot say."""
        for row in rows if self._texts else ():
            for place in self._texts:
                if row[place] is not None:
                    row[place].encode()
        return rows

    def _objects(self, body: bytes | msgspec.Raw) -> list[Any]:
        try:
            rows = msgspec.json.decode(body)
        except _NOT_FIT as error:
            raise RequestInvalid(
                [fault(None, "", "a JSON array of objects", str(error), quoted=False)]
            ) from error
        if not isinstance(rows, list):
            wrong = fault(None, "", "a JSON array of objects", rows)
            raise RequestInvalid(masked_faults(self._table, [wrong]))
        return rows

    def _one_by_one(self, rows: Sequence[Any]) -> tuple[list[tuple[int, Physical]], list[Fault]]:
        good: list[tuple[int, Physical]] = []
        faults: list[Fault] = []
        for index, row in enumerate(rows):
            try:
                [found] = self._speakable(self._physical([msgspec.convert(row, self._row)]))
                good.append((index, found))
            except _NOT_FIT as error:
                faults += self._faults(index, row) or [
                    fault(index, "", "a row that fits the contract", str(error), quoted=False)
                ]
        return good, faults

    def _broken_rule(self, index: int, row: Physical, number: int) -> Fault:
        expression, reads = self._rules.said(number)
        values = self._plain(row)
        return fault(index, ", ".join(reads), expression, {name: values[name] for name in reads})

    def _faults(self, index: int, row: Any) -> list[Fault]:
        if not isinstance(row, Mapping):
            return [fault(index, "", "an object with one field per column", row)]
        missing = [
            fault(index, column.name, column_words(column), "no such field", quoted=False)
            for column in self._columns
            if column.required and column.name not in row
        ]
        wrong = [
            fault(index, column.name, column_words(column), row[column.name])
            for column in self._columns
            if column.name in row and not self._fits(column.name, row[column.name])
        ]
        unknown = [
            fault(index, str(name), self._no_such(str(name)), row[name])
            for name in row
            if name not in self._types
        ]
        return [*missing, *wrong, *unknown]

    def _fits(self, name: str, value: Any) -> bool:
        try:
            found = msgspec.convert(value, self._types[name])
            for step in self._steps.get(name, ()) if found is not None else ():
                found = step(found)
            if isinstance(found, str):
                found.encode()
        except _NOT_FIT:
            return False
        return True

    def _no_such(self, name: str) -> str:
        near = get_close_matches(name, self.names, n=1)
        return (
            f"no such field; did you mean {near[0]}?"
            if near
            else f"no such field, but {', '.join(self.names)}"
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


def _envelope_type(rows: Any) -> Any:
    fields: list[Any] = [("rows", rows), ("partial", bool, False), ("idempotency_key", str | None, None)]
    return msgspec.defstruct("Envelope", fields, kw_only=True, forbid_unknown_fields=True)


def _placed(columns: Sequence[ColumnContract]) -> list[tuple[str, Step]]:
    steps = ((column.name, logical(column)) for column in columns)
    return [(name, step) for name, step in steps if step is not None]

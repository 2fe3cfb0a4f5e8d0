"""A value that is to be forgotten, and how it is recognised wherever it may lie."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.model import Contract, TableContract
from seatrial.data.erasure import can_name, contract_texts, decoded, leaves, text_of, texts
from seatrial.data.reach import Reach, declared, reach_of
from seatrial.errors import DataRefused
from seatrial.facts.action import Action
from seatrial.facts.prediction import Outcome, PredictionBlock
from seatrial.facts.records import (
    decode_action,
    decode_outcome,
    decode_predictions,
    encode_record,
    only_rows,
)
from seatrial.product.product import MATURED_AT, Product

_FEATURE, _OUTCOME = "feature_", "outcome_"


@dataclass(frozen=True)
class Sought:
    """`written` are the texts of the value in the types of the columns that hold it; `text` is the first of them.

    What is stored may be older than today's contract. Columns that it does not have (any more) may be the ones
    sought under another name: those of text and of whole numbers are searched too.
    """

    product: Product
    reach: Reach
    text: str
    written: frozenset[str]

    def in_source(self, name: str, frame: pl.DataFrame) -> pl.Series:
        """Which rows of a source's table hold the value."""
        return self._among(frame, self.columns_of(name, frame))

    def columns_of(self, name: str, frame: pl.DataFrame) -> list[str]:
        """The columns of a source's table in which the value is looked for."""
        table = self.product.contract.table(name)
        today = {column.name for column in table.columns} if table else set()
        reached = [one for one in self.reach.sources.get(name, ()) if one in frame.columns]
        return list(dict.fromkeys([*reached, *_strangers(frame, today)]))

    def in_examples(self, frame: pl.DataFrame) -> pl.Series:
        """Which examples hold it."""
        return self._among(frame, [*self.reach.examples, *_strangers(frame, self.made)])

    def in_lookup(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows of a prepared lookup table hold it."""
        reached = {one for columns in self.reach.lookups.values() for one in columns}
        return self._among(frame, [*reached, *_strangers(frame, self.made)])

    def in_predictions(self, frame: pl.DataFrame) -> pl.Series:
        """Which stored predictions hold it."""
        return self._among(frame, [*self._key(), *self._prefixed(frame, _FEATURE)])

    def in_outcomes(self, frame: pl.DataFrame) -> pl.Series:
        """Which stored outcomes hold it."""
        return self._among(frame, [*self._key(), *self._prefixed(frame, _OUTCOME)])

    def in_actions(self, frame: pl.DataFrame) -> pl.Series:
        """Which stored actions hold it."""
        return self._among(frame, self._key())

    def in_ledger(self, frame: pl.DataFrame) -> pl.Series:
        """Which bookings hold it."""
        return self._among(frame, self._key())

    def in_quarantine(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows put aside hold it: in columns of the reach, or in ones that the contract does not declare.

        In what is not a row of the contract's columns, wherever it stands.
        """
        if frame.is_empty():
            return pl.Series([], dtype=pl.Boolean)
        numbered = frame.select("source", "row").with_row_index("__place")
        found: set[int] = set()
        for (source,), mine in numbered.group_by("source"):
            hit = self._put_aside(str(source), [decoded(body) for body in mine["row"]])
            found.update(mine["__place"].filter(hit))
        return numbered.select(pl.col("__place").is_in([*found]).alias("found"))["found"]

    def rows_in(self, record: bytes) -> int:
        """How many rows of a journal record hold it; bytes that are none count as one when its text is among them."""
        fact = _read(record)
        return int(self._torn(record)) if fact is None else len(self._hit(fact))

    def without(self, record: bytes) -> bytes | None:
        """The record of the journal less the rows that hold it; None when nothing is left of it."""
        fact = _read(record)
        if fact is None:
            return None if self._torn(record) else record
        hit = self._hit(fact)
        if not hit:
            return record
        if not isinstance(fact, PredictionBlock) or len(hit) == len(fact):
            return None
        return encode_record(only_rows(fact, [row for row in range(len(fact)) if row not in hit]))

    def in_words(self, words: str) -> bool:
        """Whether a sentence quotes it."""
        return any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", words) for one in self.written)

    @cached_property
    def made(self) -> frozenset[str]:
        """Every column that is made of the sources today: those of examples and of lookup tables."""
        product = self.product
        lookups = product.file.examples.lookups
        on = {column for lookup in lookups.values() for column in lookup.on}
        brought = {new for names in product.lookup_names.values() for new in names.values()}
        own = {*product.columns, *product.outcome_columns, MATURED_AT, "known_at"}
        return frozenset({*own, *on, *brought})

    def _hit(self, fact: PredictionBlock | Outcome | Action) -> set[int]:
        """The rows of a fact that hold it."""
        keys, columns = _columns(fact)
        strange = {
            name: [one if _can_name(one) else None for one in values]
            for name, values in columns.items()
            if name not in self.made
        }
        searched = [*(columns.get(name, []) for name in self.reach.examples), *strange.values()]
        return set().union(
            *(self._places(values) for values in [*searched, *([keys] if self._key() else [])])
        )

    def _places(self, values: Sequence[Any]) -> set[int]:
        found = {one for one in {(type(value), value) for value in values} if text_of(one[1]) in self.written}
        return (
            {place for place, value in enumerate(values) if (type(value), value) in found} if found else set()
        )

    def _torn(self, record: bytes) -> bool:
        return any(one.encode() in record for one in self.written)

    def _key(self) -> tuple[str, ...]:
        return ("key",) if self.reach.is_key else ()

    def _prefixed(self, frame: pl.DataFrame, prefix: str) -> Iterator[str]:
        yield from (f"{prefix}{one}" for one in self.reach.examples)
        own = frame.select(name for name in frame.columns if name.startswith(prefix))
        yield from _strangers(own, {f"{prefix}{one}" for one in self.made})

    def _among(self, frame: pl.DataFrame, columns: Iterable[str]) -> pl.Series:
        found = pl.Series([False]).new_from_index(0, frame.height)
        for column in columns:
            if column in frame.columns:
                found |= texts(frame[column]).is_in(list(self.written)).fill_null(False)
        return found

    def _put_aside(self, source: str, rows: list[Any]) -> pl.Series:
        columns, table = self.reach.sources.get(source, ()), self.product.contract.table(source)
        found = pl.Series([self._beside(row, columns, table) for row in rows], dtype=pl.Boolean)
        for column in columns:
            values = [_json_text(row.get(column)) if isinstance(row, dict) else None for row in rows]
            written = pl.Series("value", values, dtype=pl.String)
            for version in self.reach.versions(source):
                for one in contract_texts(written, version, column):
                    found |= one.is_in(list(self.written)).fill_null(False)
        return found

    def _beside(self, row: Any, columns: Iterable[str], table: TableContract | None) -> bool:
        """Whether it stands beside the columns of the reach, or anywhere in what lacks some of them."""
        if not isinstance(row, dict):
            return bool(columns or table is None) and self._quoted(row)
        if not all(column in row for column in columns) and self._quoted(row):
            return True
        strange = [one for name, one in row.items() if table is None or table.column(name) is None]
        named = (one for value in strange for one in leaves(value) if _can_name(one))
        return any(_json_text(one) in self.written for one in named)

    def _quoted(self, row: Any) -> bool:
        told = [str(one) for one in leaves(row) if one is not None]
        return any(one in text for one in self.written for text in [*told, *_undoubled(told)])


def sought_value(product: Product, column: str, value: str, before: Iterable[Contract] = ()) -> Sought:
    """The value of a column; `before` are earlier contracts, whose columns are searched too.

    Raises NotFound when the product has and had no such column, DataRefused for no value.
    """
    if not value.strip():
        raise DataRefused(f"{product.name}: expected a value of {column} to erase, got nothing")
    reach = reach_of(product, column, before)
    table = declared(product, reach)
    first = _texts_of(value, [table], reach.sources[table.name])
    every = {
        text
        for name, columns in reach.sources.items()
        for text in _texts_of(value, reach.versions(name), columns)
    }
    return Sought(product=product, reach=reach, text=first[-1], written=frozenset({*first, *every}))


def value_texts(
    product: Product, value: str, columns: dict[str, tuple[str, ...]], before: Iterable[Contract] = ()
) -> set[str]:
    """The texts that a value may have been committed under, searched in these columns of these sources."""
    tables = [*product.contract.tables, *(table for contract in before for table in contract.tables)]
    found = {value.strip()}
    return found.union(
        *(_texts_of(value, [t for t in tables if t.name == name], names) for name, names in columns.items())
    )


def _texts_of(value: str, tables: Sequence[TableContract], columns: Iterable[str]) -> list[str]:
    """The value as it was given, then in the contracts' types of each column, if it is of that type."""
    given = pl.Series("value", [value])
    found = [one for table in tables for column in columns for one in contract_texts(given, table, column)]
    return list(dict.fromkeys([value.strip(), *(one[0] for one in found if one[0] is not None)]))


def _strangers(frame: pl.DataFrame, known: Iterable[str]) -> list[str]:
    """The columns that nobody declares today and that may name a person or a thing."""
    own = {*known}
    return [
        name
        for name, dtype in frame.schema.items()
        if name not in own and not name.startswith("__") and can_name(dtype)
    ]


def _read(record: bytes) -> PredictionBlock | Outcome | Action | None:
    for decode in (decode_predictions, decode_outcome, decode_action):
        with suppress(msgspec.MsgspecError):
            return decode(record)
    return None


def _columns(
    fact: PredictionBlock | Outcome | Action,
) -> tuple[Sequence[str | None], Mapping[str, Sequence[Any]]]:
    """The keys of a fact's rows, and what it holds besides by column."""
    if isinstance(fact, PredictionBlock):
        return fact.key, fact.features
    held = fact.values if isinstance(fact, Outcome) else {}
    return [fact.key], {name: [value] for name, value in held.items()}


def _can_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _undoubled(told: Iterable[str]) -> list[str]:
    """Texts in which quotes were doubled, as in a line of a file, as they were before."""
    return [one.replace('""', '"') for one in told if '""' in one]


def _json_text(value: Any) -> str | None:
    """As `texts`, for the values of JSON: a Series of them would need one type."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | float) else None

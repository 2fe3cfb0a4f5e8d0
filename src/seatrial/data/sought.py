"""A value that is to be forgotten, and how it is recognised wherever it may lie."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from seatrial.data.erasure import contract_texts, text_of, texts
from seatrial.data.reach import Reach, declared, reach_of
from seatrial.errors import DataRefused
from seatrial.facts.records import decode_outcome, decode_prediction
from seatrial.product.product import Product


@dataclass(frozen=True)
class Sought:
    """`written` are the texts of the value in the types of the columns that hold it; `text` is the first of them."""

    product: Product
    reach: Reach
    text: str
    written: frozenset[str]

    def in_source(self, name: str, frame: pl.DataFrame) -> pl.Series:
        """Which rows of a source's table hold the value."""
        return self._among(frame, self.reach.sources.get(name, ()))

    def in_examples(self, frame: pl.DataFrame) -> pl.Series:
        """Which examples hold it."""
        return self._among(frame, self.reach.examples)

    def in_lookup(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows of a prepared lookup table hold it."""
        return self._among(frame, {one for columns in self.reach.lookups.values() for one in columns})

    def in_predictions(self, frame: pl.DataFrame) -> pl.Series:
        """Which stored predictions hold it."""
        return self._among(frame, [*self._key(), *(f"feature_{one}" for one in self.reach.examples)])

    def in_outcomes(self, frame: pl.DataFrame) -> pl.Series:
        """Which stored outcomes hold it."""
        return self._among(frame, [*self._key(), *(f"outcome_{one}" for one in self.reach.examples)])

    def in_ledger(self, frame: pl.DataFrame) -> pl.Series:
        """Which bookings hold it."""
        return self._among(frame, self._key())

    def in_quarantine(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows put aside hold it; in what is not a row of the contract's columns, wherever it stands."""
        found = pl.Series([False]).new_from_index(0, frame.height)
        for source, columns in self.reach.sources.items():
            rows = [_decoded(body) for body in frame["row"]]
            told = pl.Series([self._in_text(row, columns) for row in rows], dtype=pl.Boolean)
            for column in columns:
                told |= self._in_json(rows, source, column)
            found |= told & (frame["source"] == source)
        return found

    def in_record(self, record: bytes) -> bool:
        """Whether a record of the journal holds it; in bytes that are none, whether its text is among them."""
        for decode in (decode_prediction, decode_outcome):
            try:
                fact: Any = decode(record)
            except msgspec.MsgspecError:
                continue
            held = fact.features if decode is decode_prediction else fact.values
            values = [
                *(held.get(name) for name in self.reach.examples),
                *([fact.key] if self.reach.is_key else []),
            ]
            return any(text_of(value) in self.written for value in values)
        return any(one.encode() in record for one in self.written)

    def _key(self) -> tuple[str, ...]:
        return ("key",) if self.reach.is_key else ()

    def _among(self, frame: pl.DataFrame, columns: Iterable[str]) -> pl.Series:
        found = pl.Series([False]).new_from_index(0, frame.height)
        for column in columns:
            if column in frame.columns:
                found |= texts(frame[column]).is_in(list(self.written)).fill_null(False)
        return found

    def _in_json(self, rows: list[Any], source: str, column: str) -> pl.Series:
        values = [_json_text(row.get(column)) if isinstance(row, dict) else None for row in rows]
        written = pl.Series("value", values, dtype=pl.String)
        found = pl.Series([False]).new_from_index(0, len(rows))
        for one in contract_texts(written, self.product.contract.table(source), column):
            found |= one.is_in(list(self.written)).fill_null(False)
        return found

    def _in_text(self, row: Any, columns: Iterable[str]) -> bool:
        if isinstance(row, dict) and all(column in row for column in columns):
            return False
        return any(one in json.dumps(row, ensure_ascii=False) for one in self.written)


def sought_value(product: Product, column: str, value: str) -> Sought:
    """The value of a column. Raises NotFound when the product has no such column, DataRefused for no value."""
    if not value.strip():
        raise DataRefused(f"{product.name}: expected a value of {column} to erase, got nothing")
    reach = reach_of(product, column)
    table = declared(product, reach)
    first = _texts_of(value, product, table.name, reach.sources[table.name])
    every = {
        text for name, columns in reach.sources.items() for text in _texts_of(value, product, name, columns)
    }
    return Sought(product=product, reach=reach, text=first[-1], written=frozenset(every))


def value_texts(product: Product, value: str, columns: dict[str, tuple[str, ...]]) -> set[str]:
    """The texts that a value may have been committed under, searched in these columns of these sources."""
    found = {value.strip()}
    return found.union(*(_texts_of(value, product, name, names) for name, names in columns.items()))


def _texts_of(value: str, product: Product, source: str, columns: Iterable[str]) -> list[str]:
    """The value as it was given, then in the contract's type of each column, if it is of that type."""
    given, table = pl.Series("value", [value]), product.contract.table(source)
    found = [one for column in columns for one in contract_texts(given, table, column)]
    return list(dict.fromkeys(one[0] for one in found if one[0] is not None))


def _decoded(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _json_text(value: Any) -> str | None:
    """As `texts`, for the values of JSON: a Series of them would need one type."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | float) else None

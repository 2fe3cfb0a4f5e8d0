"""One lookup table in an LMDB environment: read by many processes at once, written by one at a time.

What was applied is recorded in the same transaction as the rows: a process that is killed while it writes leaves
the table as it was, and the next one goes on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import lmdb
import msgspec
import polars as pl

from seatrial.adapters.lookups.codec import (
    TIMELESS,
    Key,
    decode,
    entries,
    key_prefix,
    key_suffix,
    keys_of,
    moments_of,
    plain_type,
    value_columns,
)
from seatrial.facts.lookups import PublishedLookup
from seatrial.ports.artifacts import Artifacts
from seatrial.product.lookup_changes import CHANGE, PUT
from seatrial.product.lookup_files import from_bytes, to_bytes
from seatrial.product.lookups import KNOWN

# Address space, not memory or disk: the file grows as it is filled.
_MAP_BYTES = 32 * 2**30
# Sorts before every key, all of which begin with a MessagePack array or extension.
_APPLIED = b"\x00applied"


class _Applied(msgspec.Struct):
    """The parts that are in the environment, and the columns of its table as an empty one."""

    parts: tuple[str, ...]
    empty: bytes


class Environment:
    """The stored table of one base, with the increments that were applied to it."""

    def __init__(self, folder: Path, on: tuple[str, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.on = folder, on
        self._lmdb = lmdb.open(str(folder), map_size=_MAP_BYTES, max_readers=1024, max_dbs=0)
        # A reader that was killed in the middle of a search would keep replaced pages from being used again.
        self._lmdb.reader_check()
        self._empty = pl.DataFrame()

    @property
    def empty(self) -> pl.DataFrame:
        """The table's columns, without rows."""
        return self._empty

    def bring_up_to(self, published: PublishedLookup, artifacts: Artifacts) -> int:
        """Apply what is missing of the publication; the number of rows written. One process at a time does."""
        with self._lmdb.begin() as reading:
            applied = _applied(reading)
        written = 0
        if applied is None or not _covers(applied.parts, published.parts):
            with self._lmdb.begin(write=True) as writing:
                written = self._write(writing, published, artifacts)
                applied = _applied(writing)
        assert applied is not None  # a base is always written
        self._empty = from_bytes(applied.empty)
        return written

    def _write(self, writing: Any, published: PublishedLookup, artifacts: Artifacts) -> int:
        """Rows written; what another process applied while this one waited is not applied again."""
        applied = _applied(writing)
        if applied is not None and _covers(applied.parts, published.parts):
            return 0
        if applied is None or not _covers(published.parts, applied.parts):
            written, applied = self._write_base(writing, published.base, artifacts)
        else:
            written = 0
        for increment in published.parts[len(applied.parts) :]:
            written += self._write_changes(writing, from_bytes(artifacts.get(increment)))
        _record(writing, _Applied(parts=published.parts, empty=applied.empty))
        return written

    def _write_base(self, writing: Any, base: str, artifacts: Artifacts) -> tuple[int, _Applied]:
        table = from_bytes(artifacts.get(base))
        # A table of another product file may lack the keys; its columns are recorded, and say so.
        found = entries(table, self.on) if {*self.on} <= {*table.columns} else iter(())
        writing.drop(self._lmdb.open_db(txn=writing), delete=False)
        with writing.cursor() as cursor:
            # In the order of their bytes pages are filled to the brim, several times as fast.
            cursor.putmulti(sorted(found), append=True)
        return table.height, _Applied(parts=(base,), empty=to_bytes(table.clear()))

    def _write_changes(self, writing: Any, changed: pl.DataFrame) -> int:
        kinds = changed[CHANGE].to_list()
        for (key, value), kind in zip(entries(changed.drop(CHANGE), self.on), kinds, strict=True):
            if kind == PUT:
                writing.put(key, value)
            else:
                writing.delete(key)
        return changed.height

    def one(self, key: Key, moment: int) -> list[Any] | None:
        """The row that stands for one key at one moment; None where there is none."""
        with self._lmdb.begin() as reading:
            return _latest(reading.cursor(), key, moment)

    def latest(self, asked: Iterable[tuple[Key, int | None]]) -> Iterator[list[Any] | None]:
        """The row that stands for each key at each moment, in one consistent state; None where there is none."""
        with self._lmdb.begin() as reading, reading.cursor() as cursor:
            for key, moment in asked:
                yield None if moment is None else _latest(cursor, key, moment)


def _latest(cursor: Any, key: Key, moment: int) -> list[Any] | None:
    prefix = key_prefix(key)
    if cursor.set_range(prefix + key_suffix(moment)) and cursor.key().startswith(prefix):
        return decode(cursor.value())
    return None


def _applied(transaction: Any) -> _Applied | None:
    stored = transaction.get(_APPLIED)
    return None if stored is None else msgspec.msgpack.decode(stored, type=_Applied)


def _record(writing: Any, applied: _Applied) -> None:
    writing.put(_APPLIED, msgspec.msgpack.encode(applied))


def _covers(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether all of `wanted` is among `parts`, from the start on."""
    return parts[: len(wanted)] == wanted


class StoredTable:
    """A LookupTable on an environment."""

    def __init__(self, environment: Environment, columns: tuple[str, ...]) -> None:
        stored = value_columns(environment.empty, environment.on)
        self.environment = environment
        self._timed = KNOWN in environment.empty.columns
        self._places = [(name, stored.index(name)) for name in columns]
        self.schema = pl.Schema({name: environment.empty.schema[name] for name in columns})
        self._plain = {name: plain_type(dtype) for name, dtype in self.schema.items()}

    def get(self, key: Key, moment: int) -> list[Any] | None:
        """The stored values of the row that stands for a key at a moment in microseconds; None without one."""
        return self.environment.one(key, moment if self._timed else TIMELESS)

    def find(self, frame: pl.DataFrame, made_at: str) -> pl.DataFrame:
        """The lookup's columns for each row of `frame`, in order; nulls where nothing was known at `made_at`."""
        moments = moments_of(frame, made_at) if self._timed else [TIMELESS] * frame.height
        asked = zip(keys_of(frame, self.environment.on), moments, strict=True)
        rows = list(self.environment.latest(asked))
        return pl.DataFrame([self._column(name, place, rows) for name, place in self._places])

    def pick(self, keys: Mapping[str, Sequence[Any]], moments: Sequence[int | None]) -> dict[str, list[Any]]:
        """The same without a table: keys, moments and what is found are physical values (times in microseconds)."""
        columns = [keys[name] for name in self.environment.on]
        asked = zip(zip(*columns, strict=True), moments if self._timed else repeat(TIMELESS), strict=False)
        rows = list(self.environment.latest(asked))
        return {name: [None if row is None else row[place] for row in rows] for name, place in self._places}

    def _column(self, name: str, place: int, rows: list[list[Any] | None]) -> pl.Series:
        values = [None if row is None else row[place] for row in rows]
        return pl.Series(name, values, dtype=self._plain[name]).cast(self.schema[name])

"""The tables that a source's rows lay in one after the other, and what became of keys in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from seatrial.data.changes import CHANGE, LOAD, standing
from seatrial.data.erasure import texts
from seatrial.facts.load import Load
from seatrial.ports.tables import Tables


@dataclass(frozen=True)
class Generation:
    """One table of a source: a new one begins where columns or types change. `first` is the load it began with.

    `changes` are those of the rows that were asked for.
    """

    first: int
    changes: pl.DataFrame


def generations(tables: Tables, loads: Sequence[Load], key: str, keys: set[str]) -> list[Generation]:
    """Every table that the loads of a source wrote to, oldest first, with the changes of rows with one of the keys.

    Of a table without the column `key` no row is.
    """
    last = loads[-1].number
    firsts: dict[str, int] = {}
    for load in loads:
        firsts.setdefault(load.table, load.number)
    rows = {table: tables.read(table, where=pl.col(LOAD) <= last) for table in firsts}
    return [Generation(first, of_keys(rows[table], key, keys)) for table, first in firsts.items()]


def removed_by_key(tables: Sequence[Generation], key: str) -> dict[str, int]:
    """The last load that lacked each key: it removed the row, or began a new table without it."""
    found: dict[str, int] = {}
    for place, one in enumerate(tables):
        gone = [*loads_by_key(_removals(one.changes), key).items()]
        for later in tables[place + 1 : place + 2]:
            gone += [(name, later.first) for name in loads_by_key(standing(one.changes), key)]
        for name, number in gone:
            found[name] = max(number, found.get(name, number))
    return found


def loads_by_key(rows: pl.DataFrame, key: str) -> dict[str, int]:
    """The last load of each key among changes."""
    loads: dict[str, int] = {}
    if rows.is_empty():
        return loads
    for name, number in zip(texts(rows[key]), rows[LOAD], strict=True):
        loads[name] = max(number, loads.get(name, number))
    return loads


def of_keys(rows: pl.DataFrame, key: str, keys: set[str]) -> pl.DataFrame:
    """The rows with one of the keys, compared as text; none without the column."""
    if key not in rows.columns:
        return rows.clear()
    return rows.filter(texts(rows[key]).is_in(sorted(keys)).fill_null(value=False))


def _removals(changes: pl.DataFrame) -> pl.DataFrame:
    return changes.filter(pl.col(CHANGE) < 0) if changes.width else changes

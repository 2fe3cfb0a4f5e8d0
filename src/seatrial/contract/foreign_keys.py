"""Keys that must be found in another table, or in another row of the same one."""

from collections.abc import Mapping

import polars as pl

from seatrial.contract.model import ForeignKey, TableContract
from seatrial.contract.rules import Rule
from seatrial.errors import DataRefused


def keys_to_find(table: TableContract, others: Mapping[str, pl.DataFrame]) -> list[ForeignKey]:
    """The foreign keys whose table is there: given among `others`, or the table itself."""
    return [key for key in table.foreign_keys if key.table in {*others, table.name}]


def foreign_rule(key: ForeignKey, table: TableContract) -> Rule:
    """The rule that a row of the table finds its key; `with_found` adds the column that it reads."""
    name = f"{'+'.join(key.columns)}.foreign_key"
    if [one.columns for one in table.foreign_keys].count(key.columns) > 1:
        name = f"{name} in {key.table}({', '.join(key.to)})"
    whole = pl.all_horizontal(pl.col(column).is_not_null() for column in key.columns)
    expected = f"a row of {key.table} with the same {', '.join(key.to)}"
    return Rule(name, key.columns, expected, whole & pl.col(_found(key)).is_null(), key.severity)


def with_found(
    rows: pl.LazyFrame, table: TableContract, key: ForeignKey, others: Mapping[str, pl.DataFrame]
) -> pl.LazyFrame:
    """The rows with a column that is true where the key is found, and null elsewhere.

    Raises DataRefused when the other table lacks a column of the key.
    """
    types = rows.collect_schema()
    right = {f"{_found(key)}:{to}": types[column] for column, to in zip(key.columns, key.to, strict=True)}
    known = pl.concat(
        keys.select(
            pl.col(to).cast(dtype, strict=False).alias(name)
            for to, (name, dtype) in zip(key.to, right.items(), strict=True)
        )
        for keys in _tables(rows, table, key, others)
    )
    marked = known.unique().with_columns(pl.lit(True).alias(_found(key)))
    return rows.join(
        marked, left_on=list(key.columns), right_on=list(right), how="left", maintain_order="left"
    )


def _tables(
    rows: pl.LazyFrame, table: TableContract, key: ForeignKey, others: Mapping[str, pl.DataFrame]
) -> list[pl.LazyFrame]:
    own = [rows] if key.table == table.name else []
    other = others.get(key.table)
    # Before its first load a table has no rows of its own that could be found.
    if other is None or (own and not other.columns):
        return own
    if lacking := [name for name in key.to if name not in other.columns]:
        raise DataRefused(
            f"source {table.name}: its key {'+'.join(key.columns)} should be found in {key.table}, "
            f"which has no column {', '.join(lacking)}"
        )
    return [*own, other.lazy()]


def _found(key: ForeignKey) -> str:
    return f"found:{key.table}:{'+'.join(key.columns)}:{'+'.join(key.to)}"

"""Rows that break a rule get new values from the expressions of corrections.

An expression reads the row as delivered: columns in their contract types, null where they could not be read. In a
correction of a rule `<column>.type` that column is its raw text, because as its type it could not be read. Columns
that the contract does not name are text, and null where they were not delivered.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.model import TableContract
from seatrial.contract.types import TIMESTAMP
from seatrial.errors import ExpressionInvalid
from seatrial.facts.quarantine import Correction
from seatrial.product.expressions import ResultType, columns_read, compile_expression

# What a column of a contract type may be set to; times of day, arrays and objects are text.
_RESULTS: dict[str, ResultType] = {
    "string": "string",
    "float": "number",
    "int": "number",
    "bool": "bool",
    "timestamp": "timestamp",
    "date": "timestamp",
    "time": "string",
    "array": "string",
    "object": "string",
}
_RAW = "raw:"
_LINE = "__line"


@dataclass(frozen=True)
class Change:
    """What one correction makes of its rows: per column their new values, with what is unreadable as text."""

    correction: str
    lines: tuple[int, ...]
    values: dict[str, pl.DataFrame]


def changes_by(
    table: TableContract, frame: pl.DataFrame, quarantined: pl.DataFrame, corrections: Iterable[Correction]
) -> list[Change]:
    """What each correction makes of the rows that were put aside under its rule; nothing where it changes none.

    Raises ExpressionInvalid when a correction no longer fits the contract.
    """
    changes = []
    for correction in corrections:
        broken = quarantined.filter(pl.col("rule") == correction.rule)["line"].unique().sort()
        if broken.len():
            changes.append(_change(table, frame[broken], broken, correction))
    return [change for change in changes if change.lines]


def _change(table: TableContract, rows: pl.DataFrame, lines: pl.Series, correction: Correction) -> Change:
    """The new values of the rows (at `lines` of the delivery) that satisfy the correction's `where`."""
    texts = (*correction.set.values(), *([correction.where] if correction.where else []))
    read = frozenset[str]().union(*(columns_read(text, name="correction") for text in texts))
    problems = expression_problems(table, correction, readable(table, correction.rule, read))
    if problems:
        raise ExpressionInvalid(
            f"correction {correction.id} of source {table.name} no longer fits; withdraw it, and declare it anew: "
            + "; ".join(problems)
        )
    view = _view(table, rows, correction.rule, read).with_columns(lines.cast(pl.Int64).alias(_LINE))
    results = _computed(view, correction)
    values = {name: _values(table, name, results) for name in correction.set}
    return Change(correction.id, tuple(results[_LINE].to_list()), values)


def _view(table: TableContract, rows: pl.DataFrame, rule: str, read: frozenset[str]) -> pl.DataFrame:
    """The rows as the correction of a rule reads them; only the columns `read` are looked at."""
    raw = rows.select(pl.all().name.prefix(_RAW))
    shown = [_shown(table, name, rule, rows.schema.get(name)) for name in sorted(read)]
    return raw.with_columns(shown).select(*sorted(read)) if read else pl.DataFrame(height=raw.height)


def _shown(table: TableContract, name: str, rule: str, dtype: Any) -> pl.Expr:
    column = table.column(name)
    if dtype is None or (column is None and dtype.is_nested()):
        return pl.lit(None, pl.String).alias(name)
    if column is None or rule == f"{name}.type":
        return pl.col(f"{_RAW}{name}").cast(pl.String).alias(name)
    cast = cast_column(f"{_RAW}{name}", column.type, dtype)
    assert not isinstance(cast, str)  # the first check has read the column
    return cast.value.alias(name)


def _computed(view: pl.DataFrame, correction: Correction) -> pl.DataFrame:
    """The line and the new values of each row that satisfies `where`; rows that cannot be computed are left out.

    A strict cast fails for all rows together: the rows are halved until those that fail are alone.
    """
    wanted = [pl.sql_expr(text).alias(name) for name, text in correction.set.items()]
    try:
        chosen = view.filter(pl.sql_expr(correction.where)) if correction.where else view
        return chosen.select(_LINE, *wanted)
    except pl.exceptions.PolarsError:
        if view.is_empty():
            raise
        if view.height == 1:
            return _computed(view.clear(), correction)
        half = view.height // 2
        return pl.concat([_computed(view[:half], correction), _computed(view[half:], correction)])


def _values(table: TableContract, name: str, results: pl.DataFrame) -> pl.DataFrame:
    """Per row the value in the column's contract type, or as text where the result is none of its values."""
    column = table.column(name)
    assert column is not None  # said by expression_problems
    cast = cast_column(name, column.type, results.schema[name])
    assert not isinstance(cast, str)  # the type was checked as well
    return results.select(_LINE, cast.value.alias("value"), _unread(name, cast.broken).alias("unread"))


def _unread(stored: str, broken: pl.Expr | None) -> pl.Expr:
    """The text of what could not be read, else null."""
    return pl.lit(None, pl.String) if broken is None else pl.when(broken).then(pl.col(stored).cast(pl.String))


def with_changes(table: TableContract, frame: pl.DataFrame, changes: Sequence[Change]) -> pl.DataFrame:
    """The delivery with the changed values in their places; later changes overwrite earlier ones."""
    by_column: dict[str, list[pl.DataFrame]] = {}
    for change in changes:
        for name, values in change.values.items():
            by_column.setdefault(name, []).append(values)
    for name, parts in by_column.items():
        latest = pl.concat(parts).unique(_LINE, keep="last", maintain_order=True)
        frame = frame.with_columns(_merged(table, name, frame[name], latest))
    return frame


def _merged(table: TableContract, name: str, stored: pl.Series, changed: pl.DataFrame) -> pl.Series:
    """The column with its changed values, in its contract type; as text where some value is not of that type."""
    column = table.column(name)
    assert column is not None  # only columns of the contract are set
    cast = cast_column("stored", column.type, stored.dtype)
    assert not isinstance(cast, str)  # the first check has read the column
    own = stored.alias("stored").to_frame().with_row_index(_LINE).select(
        pl.col(_LINE).cast(pl.Int64),
        cast.value.alias("own"),
        _unread("stored", cast.broken).alias("own_unread"),
    )  # fmt: skip
    joined = own.join(changed.with_columns(set=True), on=_LINE, how="left", maintain_order="left").select(
        pl.when("set").then("value").otherwise("own").alias("value"),
        pl.when("set").then("unread").otherwise("own_unread").alias("unread"),
    )
    if joined["unread"].null_count() == joined.height:
        return joined["value"].alias(name)
    return joined.select(pl.coalesce("unread", _text(joined["value"].dtype)).alias(name))[name]


def _text(dtype: Any) -> pl.Expr:
    """The values as text that reads back as the same values."""
    value = pl.col("value")
    return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") if dtype == TIMESTAMP else value.cast(pl.String)


def readable(table: TableContract, rule: str, more: Collection[str]) -> dict[str, str]:
    """What a correction of the rule may read, by its type."""
    typed = {column.name: column.type for column in table.columns}
    raw = rule.removesuffix(".type")
    texts = dict.fromkeys((name for name in more if table.column(name) is None), "string")
    return {**typed, **({raw: "string"} if rule != raw else {}), **texts}


def expression_problems(
    table: TableContract, correction: Correction, columns: Mapping[str, str]
) -> list[str]:
    """All that is wrong with what a correction sets and with its `where`, over `columns` (name to type)."""
    problems = []
    for name, text in correction.set.items():
        column = table.column(name)
        if column is None:
            there = ", ".join(one.name for one in table.columns)
            problems.append(f"set {name}: no such column to set; the contract has {there}")
        else:
            problems += _problems_of(text, columns, _RESULTS[column.type], f"set {name}")
    if correction.where:
        problems += _problems_of(correction.where, columns, "bool", "where")
    return problems


def _problems_of(text: str, columns: Mapping[str, str], expected: ResultType, name: str) -> list[str]:
    try:
        compile_expression(text, columns, expected, name=name)
    except ExpressionInvalid as error:
        return [str(error)]
    return []

"""Sensitive values hidden: a mark stands where the contract classifies a column as more than internal.

The classification is that of ODCS, a free text: none, `public` and `internal` are shown, everything else
(`confidential`, `restricted`, `pii`, ...) is not. What a table with sensitive columns holds beside its contract is
hidden too: nobody has said that it may be seen.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.model import ColumnContract, Contract, TableContract

MARK = "***"
_ABSENT = "no such field"
_SHOWN = frozenset({"", "public", "internal"})


def is_sensitive(column: ColumnContract) -> bool:
    """Whether the column's values are hidden from every output."""
    return (column.classification or "").strip().lower() not in _SHOWN


def sensitive(table: TableContract) -> frozenset[str]:
    """The names of the table's sensitive columns."""
    return frozenset(column.name for column in table.columns if is_sensitive(column))


def sensitive_anywhere(contract: Contract) -> frozenset[str]:
    """The names that are sensitive in any of the contract's tables: rows of joined tables hide them all."""
    return frozenset(name for table in contract.tables for name in sensitive(table))


def masked(table: TableContract, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the mark instead of every value of a hidden column, as text; nulls stay null."""
    return masked_columns(frame, {name for name in frame.columns if _is_hidden(table, name)})


def masked_columns(frame: pl.DataFrame, hidden: set[str] | frozenset[str]) -> pl.DataFrame:
    """The same for columns by name; names that the frame lacks are ignored."""
    return frame.with_columns(
        pl.when(pl.col(name).is_not_null()).then(pl.lit(MARK)).alias(name)
        for name in frame.columns
        if name in hidden
    )


def masked_row(table: TableContract, row: str) -> str:
    """A row as JSON with hidden values marked; text that is no object is hidden whole where anything is."""
    if not sensitive(table):
        return row
    try:
        values = msgspec.json.decode(row)
    except msgspec.MsgspecError:
        return MARK
    if not isinstance(values, dict):
        return MARK
    shown = {name: _marked(value) if _is_hidden(table, name) else value for name, value in values.items()}
    return msgspec.json.encode(shown).decode()


def masked_received(table: TableContract, rule: str, received: str) -> str:
    """What a row held that broke `rule`; the mark where the rule reads a hidden column."""
    return MARK if received and _reads_hidden(table, rule) else received


def masked_quarantine(contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table quarantine with their received values and row texts masked.

    Rows of a source that the contract no longer has are hidden whole.
    """
    pairs = zip(rows["source"], rows["rule"], rows["received"], rows["row"], strict=True)
    shown = [_quarantined(contract.table(source), *rest) for source, *rest in pairs]
    return rows.with_columns(
        pl.Series("received", [received for received, _ in shown], dtype=pl.String),
        pl.Series("row", [row for _, row in shown], dtype=pl.String),
    )


def masked_faults(table: TableContract, faults: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Faults of a request with the mark instead of received values of hidden columns.

    A fault of no column, or of one that the contract does not know, may show anything, and is hidden where the
    table has sensitive columns. That a field is missing is said.
    """
    hidden = sensitive(table)
    return [
        {**fault, "received": MARK} if hidden and _shows_hidden(table, hidden, fault) else fault
        for fault in faults
    ]


def _shows_hidden(table: TableContract, hidden: frozenset[str], fault: dict[str, object]) -> bool:
    if fault["received"] == _ABSENT:
        return False
    fields = [str(fault["field"])]
    if table.column(fields[0]) is None:
        fields = fields[0].split(", ")  # a rule over several columns
    return any(name in hidden or table.column(name) is None for name in fields)


def _quarantined(table: TableContract | None, rule: str, received: str, row: str) -> tuple[str, str]:
    if table is None:
        return MARK, MARK
    return masked_received(table, rule, received or ""), masked_row(table, row)


def _is_hidden(table: TableContract, name: str) -> bool:
    hidden = sensitive(table)
    return name in hidden or (bool(hidden) and table.column(name) is None)


def _marked(value: Any) -> Any:
    return None if value is None else MARK


def _reads_hidden(table: TableContract, rule: str) -> bool:
    hidden = sensitive(table)
    if not hidden:
        return False
    columns = rule_columns(table, rule)
    return columns is None or not columns.isdisjoint(hidden)


def rule_columns(table: TableContract, rule: str) -> frozenset[str] | None:
    """The columns that a rule reads, from its name or its expression; None when it is none of the table's."""
    named = next((one for one in table.row_rules if one.name == rule), None)
    if named is not None:
        return _expression_columns(named.expression)
    names = frozenset(rule.rpartition(".")[0].split("+"))
    if all(table.column(name) is not None for name in names):
        return names
    whole = rule.rpartition(".")[0]  # a column's own name may hold a plus
    return frozenset({whole}) if table.column(whole) is not None else None


def _expression_columns(expression: str) -> frozenset[str] | None:
    try:
        return frozenset(pl.sql_expr(expression).meta.root_names())
    except pl.exceptions.PolarsError:
        return None

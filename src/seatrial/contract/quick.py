"""Looking rows over: as cheap as can be, and never blind to what the exact rules would find."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import polars as pl

from seatrial.contract.casting import Cast
from seatrial.contract.expressions import row_rule_expression
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.rules import AHEAD, RAW, SEEN, column_rules, outside
from seatrial.contract.types import POLARS, TIMESTAMP
from seatrial.contract.wording import range_words

_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_SAME = ("float", "int", "bool", "string", "timestamp")


def quick_casts(
    table: TableContract, casts: Mapping[str, Cast], schema: Mapping[str, pl.DataType]
) -> dict[str, Cast]:
    """The casts, but columns stored in their contract's type are taken as they are."""
    return {
        column.name: Cast(pl.col(f"{RAW}{column.name}"))
        if _is_plain(column, schema[column.name])
        else casts[column.name]
        for column in table.columns
    }


def suspicion(
    table: TableContract, casts: Mapping[str, Cast], schema: Mapping[str, pl.DataType], *, latest: datetime
) -> list[pl.Expr]:
    """What may be wrong with a row whose columns were read by `quick_casts`: no row that breaks a rule is missed."""
    found: list[pl.Expr] = []
    for column in table.columns:
        if _is_plain(column, schema[column.name]):
            found += _plain_suspicions(column, latest)
        else:
            rules = column_rules(column, casts[column.name], latest)
            found += [rule.broken for rule in rules if rule.broken is not None]
    return [*found, *(~row_rule_expression(table, rule)[0] for rule in table.row_rules)]


def _is_plain(column: ColumnContract, dtype: pl.DataType) -> bool:
    return column.type in _SAME and dtype == POLARS[column.type]


def _plain_suspicions(column: ColumnContract, latest: datetime) -> Iterator[pl.Expr]:
    value, rules = pl.col(column.name), set(range_words(column))
    if column.required:
        yield value.is_null()
    if column.type == "float":
        if {"minimum", "maximum"} <= rules:
            # One comparison sees NaN and infinity as well.
            yield ~value.is_between(column.minimum, column.maximum)
            rules -= {"minimum", "maximum"}
        else:
            yield ~value.is_finite()
    if column.type == "timestamp":
        last = min(_LAST, latest + AHEAD) if column.role in SEEN else _LAST
        yield ~value.is_between(pl.lit(_FIRST, TIMESTAMP), pl.lit(last, TIMESTAMP))
    for rule in sorted(rules):
        yield outside(column, rule)

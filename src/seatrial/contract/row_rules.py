"""Rules in SQL over the rows of a request: judged together, in plain Python where that gives what Polars gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from seatrial.contract.expressions import row_rule_expression
from seatrial.contract.model import ColumnContract, RowRule, TableContract
from seatrial.contract.plain import PlainFunction, Unplain, plain
from seatrial.contract.types import polars_type

Physical = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Judge:
    rule: RowRule
    holds: pl.Expr
    plain: PlainFunction | None
    reads: tuple[str, ...]


class RowRules:
    """The rules of severity error whose columns are all there, over rows of physical values in the columns' order."""

    def __init__(self, table: TableContract, columns: Sequence[ColumnContract]) -> None:
        self._types = {column.name: str(column.type) for column in columns}
        self._places = {column.name: place for place, column in enumerate(columns)}
        self._judges = tuple(self._judge(table, rule) for rule in table.row_rules if rule.severity == "error")
        self._judges = tuple(one for one in self._judges if self._types.keys() >= set(one.reads))

    def __bool__(self) -> bool:
        return bool(self._judges)

    def broken(self, rows: Sequence[Physical]) -> list[tuple[int, int]]:
        """Places of rows, each with the number of a rule that it breaks: where it says no, not where it is unknown."""
        if not self._judges or not rows:
            return []
        return sorted(
            (place, number)
            for number, judge in enumerate(self._judges)
            for place, holds in enumerate(self._judged(judge, rows))
            if holds is False
        )

    def said(self, number: int) -> tuple[str, tuple[str, ...]]:
        """The expression of a rule, and the columns it reads."""
        judge = self._judges[number]
        return judge.rule.expression, judge.reads

    def _judge(self, table: TableContract, rule: RowRule) -> _Judge:
        holds, reads = row_rule_expression(table, rule)
        types = {name: kind for name, kind in self._types.items() if name in reads}
        return _Judge(rule, holds, plain(holds, types, pl.Boolean), reads)

    def _judged(self, judge: _Judge, rows: Sequence[Physical]) -> list[bool | None]:
        columns = {name: [row[self._places[name]] for row in rows] for name in judge.reads}
        if judge.plain is not None:
            try:
                return judge.plain(columns, len(rows))
            except Unplain:
                pass
        return self._by_polars(judge, columns)

    def _by_polars(self, judge: _Judge, columns: dict[str, list[Any]]) -> list[bool | None]:
        kinds = {name: polars_type(self._types[name]) for name in columns}
        series = [
            pl.Series(name, values, dtype=_STORED.get(self._types[name], kinds[name])).cast(kinds[name])
            for name, values in columns.items()
        ]
        return pl.DataFrame(series).select(judge.holds.alias("holds"))["holds"].to_list()


_STORED: dict[str, Any] = {"timestamp": pl.Int64, "date": pl.Int32}

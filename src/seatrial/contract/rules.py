"""The rules of a table that one row can break, as Polars expressions over its columns in contract types."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

import polars as pl

from seatrial.contract.casting import Cast, cast_column
from seatrial.contract.expressions import row_rule_expression
from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract, Severity, TableContract
from seatrial.contract.sanity import LARGEST_INT, SMALLEST_INT, full_match_rust
from seatrial.contract.wording import TYPE_WORDS, range_words
from seatrial.errors import DataRefused

RAW = "raw:"
SOUND = "flag:sound"
# Clocks differ, and so do notions of midnight: what lies further ahead is no moment that was seen.
AHEAD = timedelta(days=1)
SEEN = ("made_at", "known_at")
# A quotient of two doubles is off by less than this share of itself.
_ROUNDING = 4 * 2.0**-52


@dataclass(frozen=True)
class Rule:
    """One rule. `broken` is true where a row breaks it; None where the stored type leaves no room for that."""

    name: str
    columns: tuple[str, ...]
    expected: str
    broken: pl.Expr | None
    severity: Severity = "error"

    @property
    def flag(self) -> str:
        """The column that tells which rows break the rule."""
        return f"flag:{self.name}"


def casts_of(table: TableContract, schema: Mapping[str, pl.DataType]) -> dict[str, Cast]:
    """How each contract column is read from the stored column `raw:<name>`.

    Raises DataRefused when columns are missing or cannot be read as their type; all are named.
    """
    problems = list(_missing(table, schema))
    casts = {}
    for column in table.columns:
        if column.name in schema:
            cast = cast_column(f"{RAW}{column.name}", column.type, schema[column.name])
            if isinstance(cast, str):
                problems.append(f"column {column.name}: {cast}")
            else:
                casts[column.name] = cast
    if problems:
        raise DataRefused(f"source {table.name} does not fit its contract: {'; '.join(problems)}")
    return casts


def _missing(table: TableContract, schema: Mapping[str, pl.DataType]) -> Iterator[str]:
    missing = [column.name for column in table.columns if column.name not in schema]
    if not missing:
        return
    strangers = [name for name in schema if table.column(name) is None]
    renamed = [(name, near) for name in missing for near in get_close_matches(name, strangers, n=1)]
    hints = "".join(f"; was {name} renamed to {near}?" for name, near in renamed)
    yield f"no column {', '.join(missing)}; it has {', '.join(schema) or 'none'}{hints}"


def row_rules(table: TableContract, casts: Mapping[str, Cast], *, latest: datetime) -> list[Rule]:
    """The rules that a row can break by itself, column by column, then those over several columns.

    Times of role made_at and known_at must not lie more than a day after `latest`.
    """
    rules = [rule for column in table.columns for rule in column_rules(column, casts[column.name], latest)]
    for rule in table.row_rules:
        holds, reads = row_rule_expression(table, rule)
        rules.append(Rule(rule.name, reads, rule.expression, ~holds, rule.severity))
    return rules


def column_rules(column: ColumnContract, cast: Cast, latest: datetime) -> Iterator[Rule]:
    """The rules of one column, from how it is read."""
    name = column.name
    yield Rule(f"{name}.type", (name,), TYPE_WORDS[column.type], cast.broken)
    if column.required:
        # What could not be read is the type's fault, and said once.
        unread = pl.lit(False) if cast.broken is None else cast.broken.fill_null(False)
        yield Rule(f"{name}.required", (name,), "a value", pl.col(name).is_null() & ~unread)
    for rule, expected in range_words(column).items():
        yield Rule(f"{name}.{rule}", (name,), expected, outside(column, rule), column.severity)
    if column.role in SEEN and column.type == "timestamp":
        expected = f"a time before {latest + AHEAD:%Y-%m-%dT%H:%M:%SZ}, a day after the reading"
        yield Rule(f"{name}.future", (name,), expected, pl.col(name) > latest + AHEAD)


def outside(column: ColumnContract, rule: str) -> pl.Expr:
    """True where a value lies outside what the rule allows; null where there is no value."""
    value = pl.col(column.name)
    if rule == "multiple_of":
        return ~_is_multiple(value, column)
    if rule.endswith("imum"):
        return _beyond(value, column, rule)
    if rule.endswith("_length"):
        length = value.str.len_chars()
        return length < column.min_length if rule == "min_length" else length > column.max_length
    if rule == "values":
        return ~value.is_in(list(column.values or ()))
    pattern = str(column.pattern) if rule == "pattern" else FORMATS[str(column.format)]
    return ~value.str.contains(full_match_rust(pattern))


def _beyond(value: pl.Expr, column: ColumnContract, rule: str) -> pl.Expr:
    bound = float(getattr(column, rule))
    if column.type == "int":
        # Whole numbers are compared as such: as floats, large ones would fall on the wrong side.
        whole = whole_bound(rule, bound)
        if not SMALLEST_INT <= whole <= LARGEST_INT:
            return pl.lit((whole > 0) == rule.endswith("minimum")) & value.is_not_null()
        return value < whole if rule.endswith("minimum") else value > whole
    if rule == "minimum":
        return value < bound
    if rule == "maximum":
        return value > bound
    return value <= bound if rule == "exclusive_minimum" else value >= bound


def whole_bound(rule: str, bound: float) -> int:
    """The lowest or highest whole number that a bound allows."""
    return {
        "minimum": lambda: math.ceil(bound),
        "exclusive_minimum": lambda: math.floor(bound) + 1,
        "maximum": lambda: math.floor(bound),
        "exclusive_maximum": lambda: math.ceil(bound) - 1,
    }[rule]()


def _is_multiple(value: pl.Expr, column: ColumnContract) -> pl.Expr:
    step = float(column.multiple_of or 1)
    if column.type == "int" and step.is_integer() and step <= LARGEST_INT:
        return value % int(step) == 0
    quotient = value.cast(pl.Float64) / step
    return (quotient - (quotient + 0.5).floor()).abs() <= _ROUNDING * quotient.abs()


def is_multiple(number: float, step: float) -> bool:
    """Whether a number is a multiple of a step, as far as doubles can tell: 0.07 is one of 0.01."""
    if isinstance(number, int) and step.is_integer() and step <= LARGEST_INT:
        return number % int(step) == 0
    quotient = number / step
    if not math.isfinite(quotient):
        return False
    return abs(quotient - math.floor(quotient + 0.5)) <= _ROUNDING * abs(quotient)


def unique_groups(table: TableContract) -> list[tuple[str, ...]]:
    """The columns, alone or together, of which no two rows may hold the same values."""
    alone = [(column.name,) for column in table.columns if column.unique]
    key = [table.primary_key] if table.primary_key else []
    return list(dict.fromkeys([*alone, *key, *table.unique]))


def unique_rule(group: Sequence[str]) -> Rule:
    """Of sound rows that repeat a key, the last stands; a key with a missing part repeats nothing."""
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in group) & pl.col(SOUND)
    last = pl.struct(*group, SOUND).is_last_distinct()
    return Rule(f"{'+'.join(group)}.unique", tuple(group), "no later row with the same key", whole & ~last)


def flags(rules: Sequence[Rule]) -> list[pl.Expr]:
    """One column of truth values per rule that rows can break."""
    return [rule.broken.fill_null(False).alias(rule.flag) for rule in rules if rule.broken is not None]


def any_error(rules: Sequence[Rule]) -> pl.Expr:
    """Whether a row breaks a rule of severity error, from the flags."""
    flagged = [pl.col(rule.flag) for rule in rules if rule.broken is not None and rule.severity == "error"]
    return pl.any_horizontal(pl.lit(False), *flagged)

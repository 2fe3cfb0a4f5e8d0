"""What makes a contract unusable: rules that contradict each other, or that their column's type cannot have."""

import json
import math
import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from seatrial.contract.expressions import query_problem, row_rule_expression
from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract, Contract, ForeignKey, SetRule, Stage, TableContract
from seatrial.errors import ExpressionInvalid
from seatrial.facts.tables import CHANGES

SMALLEST_INT, LARGEST_INT = -(2**63), 2**63 - 1
_BOUNDED = ("float", "int")
_AGED = ("timestamp", "date")
_LATER = ("outcome", "known_at")
# Rules of a column, as their results are called: `column.rule`.
COLUMN_RULES = (
    "type",
    "required",
    "unique",
    "minimum",
    "maximum",
    "exclusive_minimum",
    "exclusive_maximum",
    "multiple_of",
    "pattern",
    "format",
    "values",
    "min_length",
    "max_length",
    "future",
    "foreign_key",
)


def contract_problems(contract: Contract) -> list[str]:
    """Every reason why the contract cannot be used, in words; empty when it can be used."""
    problems = [
        f"two tables are called {name}" for name in _repeated(table.name for table in contract.tables)
    ]
    if not contract.tables:
        problems.append("schema: at least one table is needed")
    for table in contract.tables:
        problems += [f"{table.name}: {problem}" for problem in _table_problems(table, contract)]
    return problems


def full_match(pattern: str) -> str:
    """The pattern as a Python expression that must match the whole text."""
    return rf"\A(?:{pattern})\Z"


def full_match_rust(pattern: str) -> str:
    """The pattern as an expression of the Rust engine (Polars) that must match the whole text."""
    return rf"\A(?:{pattern})\z"


def whole_bounds(column: ColumnContract) -> tuple[int, int]:
    """The lowest and highest whole number that the column may hold, within 64 bits."""
    lows = [SMALLEST_INT]
    lows += [] if column.minimum is None else [math.ceil(column.minimum)]
    lows += [] if column.exclusive_minimum is None else [math.floor(column.exclusive_minimum) + 1]
    highs = [LARGEST_INT]
    highs += [] if column.maximum is None else [math.floor(column.maximum)]
    highs += [] if column.exclusive_maximum is None else [math.ceil(column.exclusive_maximum) - 1]
    return max(lows), min(highs)


def _repeated(names: Iterable[object]) -> list[str]:
    return sorted(str(name) for name, times in Counter(names).items() if times > 1)


def _table_problems(table: TableContract, contract: Contract) -> Iterator[str]:
    names = {column.name for column in table.columns}
    if not table.columns:
        yield "a table needs at least one column"
    for name in _repeated(column.name for column in table.columns):
        yield f"two columns are called {name}"
    for name in sorted(names & {one.name for one in CHANGES}):
        yield f"{name}: this name is taken by Seatrial's own column; rename it in the source"
    if not 0 < table.stop_above <= 1:
        yield f"stopAbove: expected a share above 0 and at most 1, got {table.stop_above:g}"
    if table.minimum_rows < 0:
        yield f"rowCount: expected at least 0, got {table.minimum_rows}"
    yield from (f"{one.name}: {problem}" for one in table.columns for problem in _column_problems(one))
    yield from _key_problems(table, names)
    for key in table.foreign_keys:
        yield from (
            f"foreign key {'+'.join(key.columns)}: {problem}"
            for problem in _foreign_problems(key, table, contract)
        )
    # What follows parses rules against the columns, which must make sense for that.
    if table.columns and len(names) == len(table.columns):
        yield from _rule_problems(table, contract)


def _key_problems(table: TableContract, names: set[str]) -> Iterator[str]:
    for group in table.unique:
        if unknown := sorted(set(group) - names):
            yield f"unique {'+'.join(group)}: no column {', '.join(unknown)}"
        if not group:
            yield "unique: names no column"
    if unknown := sorted(set(table.primary_key) - names):
        yield f"primaryKey: no column {', '.join(unknown)}"
    if twice := _repeated(table.primary_key):
        yield f"primaryKey: {', '.join(twice)} is named twice"
    gaps = [one.name for one in table.columns if one.name in table.primary_key and not one.required]
    if gaps:
        yield f"primaryKey: {', '.join(gaps)} must be required, or rows cannot be told apart"


def _foreign_problems(key: ForeignKey, table: TableContract, contract: Contract) -> Iterator[str]:
    other = contract.table(key.table)
    if not key.columns or len(key.columns) != len(key.to):
        yield f"expected as many columns as it refers to, got {len(key.columns)} and {len(key.to)}"
    if unknown := [name for name in key.columns if table.column(name) is None]:
        yield f"no column {', '.join(unknown)}"
    if other is None:
        yield f"no table {key.table}; there are {', '.join(one.name for one in contract.tables)}"
        return
    if unknown := [name for name in key.to if other.column(name) is None]:
        yield f"{key.table} has no column {', '.join(unknown)}"
    for name, to in zip(key.columns, key.to, strict=False):
        ours, theirs = table.column(name), other.column(to)
        if ours is not None and theirs is not None and ours.type != theirs.type:
            yield f"{name} is {ours.type}, {key.table}.{to} is {theirs.type}: no value is ever found"


def _rule_problems(table: TableContract, contract: Contract) -> Iterator[str]:
    yield from _name_problems(table)
    for rule in table.row_rules:
        try:
            row_rule_expression(table, rule)
        except ExpressionInvalid as error:
            yield str(error).removeprefix(f"{table.name}, ")
    types = {one.name: {column.name: str(column.type) for column in one.columns} for one in contract.tables}
    for one in table.set_rules:
        for problem in _set_rule_problems(one, table, types):
            yield f"rule {one.name}: {problem}"
    for age in table.freshness:
        column = table.column(age.column)
        if column is None:
            yield f"freshness: no column {age.column}"
        elif column.type not in _AGED:
            yield f"freshness: {age.column} is {column.type}, and only times have an age"
        if not (age.seconds > 0 and math.isfinite(age.seconds)):
            yield f"freshness of {age.column}: expected more than 0 seconds, got {age.seconds:g}"


def _name_problems(table: TableContract) -> Iterator[str]:
    named = [rule.name for rule in table.row_rules] + [rule.name for rule in table.set_rules]
    for name in _repeated(named):
        yield f"two rules are called {name}"
    for name in sorted(set(named) & set(_given_names(table))):
        yield f"rule {name}: the rules of the table itself have this name; give it another"


def _given_names(table: TableContract) -> Iterator[str]:
    """What the results of rules that have no name of their own are called."""
    for column in table.columns:
        yield from (f"{column.name}.{rule}" for rule in (*COLUMN_RULES, "freshness", "drift"))
    groups = [table.primary_key, *table.unique, *(key.columns for key in table.foreign_keys)]
    for group in groups:
        yield from (f"{'+'.join(group)}.{rule}" for rule in ("unique", "foreign_key"))


def _set_rule_problems(
    rule: SetRule, table: TableContract, types: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    expected = 2 if rule.operator.endswith("Between") else 1
    if len(rule.operands) != expected or not all(map(math.isfinite, rule.operands)):
        yield f"{rule.operator} takes {expected} finite number{'s'[: expected - 1]}, got {rule.operands}"
    elif expected == 2 and rule.operands[0] >= rule.operands[1]:
        yield f"{rule.operator}: expected the smaller number first, got {rule.operands}"
    if unknown := [name for name in rule.columns if table.column(name) is None]:
        yield f"no column {', '.join(unknown)}"
    yield from _metric_problems(rule, types)
    if rule.arguments and not _is_object(rule.arguments):
        yield f"its arguments are no JSON object: {rule.arguments}"


def _metric_problems(rule: SetRule, types: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    fewest, most = {"rowCount": (0, 0), "sql": (0, 1), "duplicateValues": (1, 99)}.get(rule.metric, (1, 1))
    if not fewest <= len(rule.columns) <= most:
        yield f"{rule.metric} is about {'a column' if most else 'the whole table'}, got {len(rule.columns)} columns"
    if rule.metric == "sql" and (problem := query_problem(rule.query, types)):
        yield f"cannot be answered: {problem} (`{rule.query}`)"
    if rule.metric != "sql" and rule.query:
        yield f"a query is for sql, the metric is {rule.metric}"
    if rule.metric in ("rowCount", "sql") and rule.unit == "percent":
        yield f"percent of the rows makes no sense of {rule.metric}"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _column_problems(column: ColumnContract) -> Iterator[str]:
    yield from _bound_problems(column)
    yield from _text_problems(column)
    if column.drift_budget is not None and not 0 <= column.drift_budget <= 1:
        yield f"driftBudget: expected a distance from 0 to 1, got {column.drift_budget:g}"
    if strange := [stage for stage in column.stages if stage not in get_args(Stage)]:
        yield f"stages: expected some of {', '.join(get_args(Stage))}, got {', '.join(map(str, strange))}"
    if twice := _repeated(column.stages):
        yield f"stages: {', '.join(twice)} is named twice"
    if "serving" in column.stages and column.role in _LATER:
        yield f"stages: a column of role {column.role} is not known yet when serving"
    for rule, share in column.stop_above:
        if rule.removeprefix(f"{column.name}.") not in COLUMN_RULES:
            yield f"stopAbove: no rule is called {rule}; there are {', '.join(COLUMN_RULES)}"
        if not 0 <= share <= 1:
            yield f"stopAbove.{rule}: expected a share from 0 to 1, got {share:g}"
    if twice := _repeated(rule for rule, _ in column.stop_above):
        yield f"stopAbove: {', '.join(twice)} is named twice"


def _bound_problems(column: ColumnContract) -> Iterator[str]:
    lows = [bound for bound in (column.minimum, column.exclusive_minimum) if bound is not None]
    highs = [bound for bound in (column.maximum, column.exclusive_maximum) if bound is not None]
    step = column.multiple_of
    if (lows or highs or step is not None) and column.type not in _BOUNDED:
        yield f"minimum, maximum and multipleOf are for numbers, the column is {column.type}"
    if step is not None and not (step > 0 and math.isfinite(step)):
        yield f"multipleOf: expected a number above 0, got {step:g}"
    if not all(map(math.isfinite, (*lows, *highs))):
        yield "minimum and maximum must be finite"
    elif lows and highs and max(lows) > min(highs):
        yield f"minimum {max(lows):g} is above maximum {min(highs):g}"
    elif (
        lows
        and highs
        and max(lows) == min(highs)
        and (max(lows) == column.exclusive_minimum or min(highs) == column.exclusive_maximum)
    ):
        yield f"no number lies between {max(lows):g} and {min(highs):g} when an end is excluded"
    elif column.type == "int" and operator.gt(*whole_bounds(column)):
        yield "no whole number of 64 bits lies between minimum and maximum"


def _text_problems(column: ColumnContract) -> Iterator[str]:
    textual = {
        "pattern": column.pattern,
        "format": column.format,
        "values": column.values,
        "minLength": column.min_length,
        "maxLength": column.max_length,
    }
    said = [name for name, rule in textual.items() if rule is not None]
    if said and column.type != "string":
        yield f"{', '.join(said)}: for strings only, the column is {column.type}"
    if column.values is not None and (not column.values or _repeated(column.values)):
        yield "the closed set of values must not be empty, nor name a value twice"
    if column.values is not None and said != ["values"]:
        yield f"a closed set of values needs no {', '.join(name for name in said if name != 'values')} beside it"
    for name, count in (("minLength", column.min_length), ("maxLength", column.max_length)):
        if count is not None and count < 0:
            yield f"{name}: expected at least 0, got {count}"
    if (column.min_length or 0) > (column.max_length if column.max_length is not None else math.inf):
        yield f"minLength {column.min_length} is above maxLength {column.max_length}"
    if column.format is not None and column.format not in FORMATS:
        yield f"format: expected one of {', '.join(FORMATS)}, got {column.format}"
    if column.pattern is not None:
        yield from _pattern_problems(column.pattern)


def _pattern_problems(pattern: str) -> Iterator[str]:
    """Tables and requests are matched by two engines; a pattern must be readable by both."""
    import polars as pl

    try:
        re.compile(full_match(pattern))
        pl.select(pl.lit("").str.contains(full_match_rust(pattern)))
    except (re.error, pl.exceptions.ComputeError) as error:
        yield f"pattern {pattern!r} cannot be used: {error}"

"""What makes a contract unusable: rules that contradict each other, or that their column's type cannot have."""

import math
import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from seatrial.contract.model import ColumnContract, Contract, TableContract

SMALLEST_INT, LARGEST_INT = -(2**63), 2**63 - 1
_BOUNDED = ("float", "int")


def contract_problems(contract: Contract) -> list[str]:
    """Every reason why the contract cannot be used, in words; empty when it can be used."""
    problems = [
        f"two tables are called {name}" for name in _repeated(table.name for table in contract.tables)
    ]
    if not contract.tables:
        problems.append("schema: at least one table is needed")
    for table in contract.tables:
        problems += [f"{table.name}: {problem}" for problem in _table_problems(table)]
    return problems


def full_match(pattern: str) -> str:
    """The pattern as a Python expression that must match the whole text."""
    return rf"\A(?:{pattern})\Z"


def full_match_rust(pattern: str) -> str:
    """The pattern as an expression of the Rust engine (Polars) that must match the whole text."""
    return rf"\A(?:{pattern})\z"


def whole_bounds(column: ColumnContract) -> tuple[int, int]:
    """The lowest and highest whole number that the column may hold, within 64 bits."""
    low = SMALLEST_INT if column.minimum is None else max(SMALLEST_INT, math.ceil(column.minimum))
    high = LARGEST_INT if column.maximum is None else min(LARGEST_INT, math.floor(column.maximum))
    return low, high


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def _table_problems(table: TableContract) -> Iterator[str]:
    names = {column.name for column in table.columns}
    if not table.columns:
        yield "a table needs at least one column"
    for name in _repeated(column.name for column in table.columns):
        yield f"two columns are called {name}"
    for group in table.unique:
        if unknown := sorted(set(group) - names):
            yield f"unique {'+'.join(group)}: no column {', '.join(unknown)}"
    if not 0 < table.stop_above <= 1:
        yield f"stopAbove: expected a share above 0 and at most 1, got {table.stop_above:g}"
    if table.minimum_rows < 0:
        yield f"rowCount: expected at least 0, got {table.minimum_rows}"
    for column in table.columns:
        for problem in _column_problems(column):
            yield f"{column.name}: {problem}"


def _column_problems(column: ColumnContract) -> Iterator[str]:
    bounds = [bound for bound in (column.minimum, column.maximum) if bound is not None]
    if bounds and column.type not in _BOUNDED:
        yield f"minimum and maximum are for numbers, the column is {column.type}"
    if not all(math.isfinite(bound) for bound in bounds):
        yield "minimum and maximum must be finite"
    if len(bounds) == len((column.minimum, column.maximum)) and bounds[0] > bounds[1]:
        yield f"minimum {bounds[0]:g} is above maximum {bounds[1]:g}"
    elif column.type == "int" and all(map(math.isfinite, bounds)) and operator.gt(*whole_bounds(column)):
        yield "no whole number of 64 bits lies between minimum and maximum"
    textual = {"pattern": column.pattern, "values": column.values, "maxLength": column.max_length}
    said = [name for name, rule in textual.items() if rule is not None]
    if said and column.type != "string":
        yield f"{', '.join(said)}: for strings only, the column is {column.type}"
    if column.values is not None and (not column.values or _repeated(column.values)):
        yield "the closed set of values must not be empty, nor name a value twice"
    if column.values is not None and (column.pattern is not None or column.max_length is not None):
        yield "a closed set of values needs neither pattern nor maxLength"
    if column.max_length is not None and column.max_length < 0:
        yield f"maxLength: expected at least 0, got {column.max_length}"
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

"""SQL expressions over the columns of one row: parsed by Polars, and refused when they reach beyond the row."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from seatrial.contract.lenient import guesses_times, impossible, lenient
from seatrial.contract.model import RowRule, TableContract
from seatrial.contract.types import polars_type
from seatrial.errors import ExpressionInvalid

# What Polars calls operations whose result for a row depends on other rows, and that its SQL can express.
_BEYOND_ROW = frozenset(
    {"Agg", "Over", "Rolling", "Len", "Range", "Rank", "Shift", "Quantile", "Correlation", "Sort", "SortBy"}
    | {"Gather", "Filter", "Explode", "AnonymousAgg", "Unique", "Reverse", "First", "Last", "Implode"}
)
_READS_FILES = re.compile(r"\bread_\w+\s*\(", re.IGNORECASE)


def parse_expression(text: str, *, name: str) -> pl.Expr:
    """The Polars expression of an SQL text. Raises ExpressionInvalid when it cannot be parsed."""
    try:
        return pl.sql_expr(text)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ExpressionInvalid(f"{name}: cannot read `{text}` as an SQL expression: {error}") from error


def row_expression(text: str, columns: Mapping[str, str], *, name: str) -> pl.Expr:
    """The expression, which reads `columns` (name to contract type) of one row only.

    Raises ExpressionInvalid when it cannot be parsed, reads an unknown column, or is not computed row by row.
    """
    parsed = parse_expression(text, name=name)
    unknown = sorted(set(parsed.meta.root_names()) - columns.keys())
    if unknown:
        raise ExpressionInvalid(
            f"{name}: unknown column{'s' if len(unknown) > 1 else ''} {', '.join(unknown)} in `{text}`; "
            f"it may use {', '.join(sorted(columns))}"
        )
    if _reaches_beyond_row(parsed):
        raise ExpressionInvalid(
            f"{name}: `{text}` is not computed from one row alone; aggregates and window functions are not allowed"
        )
    return parsed


def result_type(parsed: pl.Expr, columns: Mapping[str, str], text: str, *, name: str) -> Any:
    """The Polars type that the expression has over `columns`. Raises ExpressionInvalid when types do not fit."""
    schema: dict[str, Any] = {column: polars_type(kind) for column, kind in columns.items()}
    empty = pl.LazyFrame(schema=schema)
    try:
        dtype = empty.select(parsed.alias("result")).collect_schema()["result"]
        empty.select(parsed.alias("result")).collect()
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise ExpressionInvalid(f"{name}: `{text}` does not fit the contract's types: {reason}") from error
    return dtype


def _reaches_beyond_row(parsed: pl.Expr) -> bool:
    """Whether one row's result could depend on other rows.

    Read off the expression's own tree: `meta.is_row_separable` takes `a > AVG(a)` for separable, and cannot answer
    for products of columns with numbers before their types are known.
    """
    return bool(_BEYOND_ROW & set(_nodes(json.loads(parsed.meta.serialize(format="json")))))


def _nodes(tree: Any) -> Iterator[str]:
    """Names of operations in a serialised expression; names of columns and literal values are none."""
    if isinstance(tree, str):
        yield tree
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
    if isinstance(tree, dict):
        for name, part in tree.items():
            yield name
            if name not in ("Column", "Literal"):
                yield from _nodes(part)


def row_rule_expression(table: TableContract, rule: RowRule) -> tuple[pl.Expr, tuple[str, ...]]:
    """The rule as a boolean expression over columns in contract types, and the columns it reads, in their order.

    It is null, unknown, for a row whose values it cannot be computed of, such as CAST('wet' AS DOUBLE). Raises
    ExpressionInvalid when it cannot be parsed, reads an unknown column or other rows, or is no yes or no.
    """
    name, columns = f"{table.name}, rule {rule.name}", {one.name: str(one.type) for one in table.columns}
    parsed = row_expression(rule.expression, columns, name=name)
    if reason := impossible(parsed, {column: polars_type(kind) for column, kind in columns.items()}):
        raise ExpressionInvalid(
            f"{name}: `{rule.expression}` cannot be computed of any row: {reason}; times are read from texts as in "
            f"STRPTIME(column, '%Y-%m-%d')"
        )
    if guesses_times(parsed):
        raise ExpressionInvalid(
            f"{name}: `{rule.expression}` reads times in whatever form the first row has; say which one, "
            f"as in STRPTIME(column, '%Y-%m-%d')"
        )
    dtype = result_type(parsed, columns, rule.expression, name=name)
    if dtype != pl.Boolean:
        raise ExpressionInvalid(f"{name}: expected a yes or no from `{rule.expression}`, got {dtype}")
    named = set(parsed.meta.root_names())
    reads = tuple(column for column in columns if column in named)
    return lenient(parsed, reads), reads


def query_problem(query: str, tables: Mapping[str, Mapping[str, str]]) -> str | None:
    """Why Polars cannot answer a query over tables (name to columns) with one number; None when it can."""
    if _READS_FILES.search(query):
        return "it may read the contract's tables, and no files"
    empty = {
        name: pl.LazyFrame(schema={column: polars_type(kind) for column, kind in columns.items()})
        for name, columns in tables.items()
    }
    try:
        answer = pl.SQLContext(frames=empty).execute(query, eager=True)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, TypeError) as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    if answer.width != 1 or not (answer.dtypes[0].is_numeric() or answer.dtypes[0] in (pl.Boolean, pl.Null)):
        return f"expected one column with a number, got {', '.join(map(str, answer.dtypes)) or 'none'}"
    return None

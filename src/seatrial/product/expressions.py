"""The SQL expressions of a product file: parsed, typed against the contract, computed row by row.

They are Polars SQL (`polars.sql_expr`), restricted to what one row can answer: no aggregates, windows or
subqueries. Parsing is paid once, when the product is read.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from seatrial.contract.types import polars_type, type_name
from seatrial.errors import ExpressionInvalid

ResultType = Literal["bool", "number", "string", "timestamp", "scalar"]
_ACCEPTS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "number": ("float", "int"),
    "string": ("string",),
    "timestamp": ("timestamp",),
    # What a derived column may be: durations and the like cannot be stored or sent.
    "scalar": ("float", "int", "bool", "string"),
}
# What Polars calls operations whose result for a row depends on other rows, and that its SQL can express.
_BEYOND_ROW = frozenset(
    {"Agg", "Over", "Rolling", "Len", "Range", "Rank", "Shift", "Quantile", "Correlation", "Sort", "SortBy"}
    | {"Gather", "Filter", "Explode", "AnonymousAgg", "Unique", "Reverse", "First", "Last", "Implode"}
)


@dataclass(frozen=True)
class Expression:
    """A compiled expression: its text, the columns it reads, its type, and the Polars expression."""

    text: str
    reads: frozenset[str]
    type: str
    polars: pl.Expr


def compile_expression(
    text: str, columns: Mapping[str, str], expected: ResultType, *, name: str
) -> Expression:
    """The expression, compiled against `columns` (name to contract type).

    Raises ExpressionInvalid when it cannot be parsed, reads an unknown column, is not computed row by row, or
    gives another type than `expected`.
    """
    parsed = _parse(text, name)
    reads = frozenset(parsed.meta.root_names())
    unknown = sorted(reads - columns.keys())
    if unknown:
        raise ExpressionInvalid(
            f"{name}: unknown column{'s' if len(unknown) > 1 else ''} {', '.join(unknown)} in `{text}`; "
            f"it may use {', '.join(sorted(columns))}"
        )
    if _reaches_beyond_row(parsed):
        raise ExpressionInvalid(
            f"{name}: `{text}` is not computed from one row alone; aggregates and window functions are not allowed"
        )
    result = _result_type(parsed, columns, text, name)
    if result not in _ACCEPTS[expected]:
        raise ExpressionInvalid(f"{name}: expected a {expected} from `{text}`, got {result}")
    if result == "int":
        result, parsed = "float", parsed.cast(pl.Float64)
    return Expression(text=text, reads=reads, type=result, polars=parsed.cast(polars_type(result)))


def columns_read(text: str, *, name: str) -> frozenset[str]:
    """The columns that an expression reads. Raises ExpressionInvalid when it cannot be parsed."""
    return frozenset(_parse(text, name).meta.root_names())


def _parse(text: str, name: str) -> pl.Expr:
    try:
        return pl.sql_expr(text)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ExpressionInvalid(f"{name}: cannot read `{text}` as an SQL expression: {error}") from error


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


def _result_type(parsed: pl.Expr, columns: Mapping[str, str], text: str, name: str) -> str:
    schema: dict[str, Any] = {column: polars_type(kind) for column, kind in columns.items()}
    empty = pl.LazyFrame(schema=schema)
    try:
        dtype = empty.select(parsed.alias("result")).collect_schema()["result"]
        empty.select(parsed.alias("result")).collect()
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise ExpressionInvalid(f"{name}: `{text}` does not fit the contract's types: {reason}") from error
    return type_name(dtype) or str(dtype)

"""The SQL expressions of a product file: parsed, typed against the contract, computed row by row.

They are Polars SQL (`polars.sql_expr`), restricted to what one row can answer: no aggregates, windows or
subqueries. Parsing is paid once, when the product is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from seatrial.contract.expressions import parse_expression, result_type, row_expression
from seatrial.contract.plain import PlainFunction, plain
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


@dataclass(frozen=True)
class Expression:
    """A compiled expression: its text, the columns it reads, its type, and the Polars expression.

    `plain` computes the same for a few rows of plain Python values; None where only Polars can.
    """

    text: str
    reads: frozenset[str]
    type: str
    polars: pl.Expr
    plain: PlainFunction | None = None


def compile_expression(
    text: str, columns: Mapping[str, str], expected: ResultType, *, name: str
) -> Expression:
    """The expression, compiled against `columns` (name to contract type).

    Raises ExpressionInvalid when it cannot be parsed, reads an unknown column, is not computed row by row, or
    gives another type than `expected`.
    """
    parsed = row_expression(text, columns, name=name)
    dtype = result_type(parsed, columns, text, name=name)
    result = type_name(dtype) or str(dtype)
    if result not in _ACCEPTS[expected]:
        raise ExpressionInvalid(f"{name}: expected a {expected} from `{text}`, got {result}")
    if result == "int":
        result, parsed = "float", parsed.cast(pl.Float64)
    final = parsed.cast(polars_type(result))
    return Expression(
        text=text,
        reads=frozenset(parsed.meta.root_names()),
        type=result,
        polars=final,
        plain=plain(final, columns, polars_type(result)),
    )


def columns_read(text: str, *, name: str) -> frozenset[str]:
    """The columns that an expression reads. Raises ExpressionInvalid when it cannot be parsed."""
    return frozenset(parse_expression(text, name=name).meta.root_names())

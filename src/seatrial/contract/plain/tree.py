"""From the tree of a Polars expression, as it serialises it, to pieces of Python."""

import io
import json
from collections.abc import Callable
from typing import Any

import polars as pl

from seatrial.contract.plain import decimals, logic, numbers
from seatrial.contract.plain.calls import call
from seatrial.contract.plain.casts import cast
from seatrial.contract.plain.operators import operation
from seatrial.contract.plain.parts import WHOLE, Code, Names, needs, only, reader

_COLUMNS = {
    "string": "String",
    "time": "String",
    "array": "String",
    "object": "String",
    "float": "Float64",
    "int": "Int64",
    "bool": "Boolean",
    "timestamp": "moment",
    "date": "Date",
}
_MOST_LISTED = 1000
_WITH_SHORTCUTS = ("Plus", "Minus", "Div", "RustDivide")


def code_of(tree: Any, names: Names) -> Code:
    """The source of a serialised expression. Raises Unsupported."""
    node, inner = only(tree)
    return reader(_NODES, node)(inner, names)


def _column(name: str, names: Names) -> Code:
    variable = names.column(name)
    return Code(_COLUMNS[names.columns[name]], variable, f"{variable} is None", variable)


def _literal(inner: Any, names: Names) -> Code:
    form, content = only(inner)
    if form == "Series":
        return _series(content)
    needs(form in ("Dyn", "Scalar"))
    kind, value = only(content)
    if kind == "Null":
        return Code("Null", "None", "True", "None")
    needs(value is not None)
    return _literal_of(kind, value, names)


def _literal_of(kind: str, value: Any, names: Names) -> Code:
    if kind in ("Float", "Float64"):
        return numbers.float_literal(float(value), names)
    if kind == "Int":
        return Code("dynamic", "", literal=value)
    if kind == "Decimal":
        return decimals.literal(value[0], value[2], names)
    needs(kind in WHOLE or kind in ("Boolean", "String", "Date"))
    return Code(kind, names.constant(value), literal=value)


def _series(content: Any) -> Code:
    literal = json.dumps({"Literal": {"Series": content}})
    series = pl.select(pl.Expr.deserialize(io.StringIO(literal), format="json")).to_series()
    values = series.explode() if series.dtype.is_nested() else series
    needs(len(values) <= _MOST_LISTED and values.null_count() == 0)
    return Code("listed", "", literal=values.to_list())


def _binary(inner: Any, names: Names) -> Code:
    cases = names.cases
    left, right = code_of(inner["left"], names), code_of(inner["right"], names)
    return _alike_in_any_table(operation(inner["op"], left, right, names), inner["op"], cases, names)


def _alike_in_any_table(code: Code, operator: str, cases: int, names: Names) -> Code:
    """The piece. Polars takes a CASE that gives one literal for all rows of a table for a literal, with shortcuts."""
    needs(code.kind != "Float64" or names.cases == cases or operator not in _WITH_SHORTCUTS)
    return code


def _ternary(inner: Any, names: Names) -> Code:
    condition, then, otherwise = (code_of(inner[name], names) for name in ("predicate", "truthy", "falsy"))
    return logic.chosen(condition, then, otherwise, names)


def _cast(inner: Any, names: Names) -> Code:
    return cast(code_of(inner["expr"], names), inner["dtype"], inner["options"], names)


def _function(inner: Any, names: Names) -> Code:
    cases = names.cases
    function, parts = inner["function"], [code_of(one, names) for one in inner["input"]]
    operator = (
        function["Sql"].get("Binary", "") if "Sql" in function and isinstance(function["Sql"], dict) else ""
    )
    return _alike_in_any_table(call(function, parts, names), operator, cases, names)


_NODES: dict[str, Callable[..., Code]] = {
    "Column": _column,
    "Literal": _literal,
    "BinaryExpr": _binary,
    "Ternary": _ternary,
    "Cast": _cast,
    "Function": _function,
}

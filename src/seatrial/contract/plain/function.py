"""Expressions compiled to Python functions."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from seatrial.contract.plain import functions, texts, times
from seatrial.contract.plain.parts import Names, Unplain, Unsupported
from seatrial.contract.plain.tree import code_of

# Beside Unsupported: nodes of another shape than those that are known, and expressions nested too deeply.
_UNKNOWN = (
    Unsupported,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    SyntaxError,
    RecursionError,
    MemoryError,
)
_BEYOND = (ArithmeticError, ValueError, TypeError)

_NAMESPACE: dict[str, Any] = {
    function.__name__: function
    for function in (
        functions.ceil,
        functions.floor,
        functions.greatest,
        functions.least,
        functions.overflown,
        functions.quotient,
        functions.remainder,
        functions.root,
        functions.rounded,
        texts.lower,
        texts.read_float,
        texts.read_long,
        texts.read_short,
        texts.stripped,
        texts.upper,
        times.day_of,
        times.months_on,
    )
}
_RESULTS: dict[str, Any] = {
    "Float64": pl.Float64,
    "Int64": pl.Int64,
    "Int32": pl.Int32,
    "Int16": pl.Int16,
    "Int8": pl.Int8,
    "UInt32": pl.UInt32,
    "Boolean": pl.Boolean,
    "String": pl.String,
    "Date": pl.Date,
    "moment": pl.Datetime("us", "UTC"),
    "wall": pl.Datetime("us"),
}


@dataclass(frozen=True, slots=True)
class PlainFunction:
    """An expression as a function over columns of physical values: what `reads` names, row by row.

    Texts are str; floats float; whole numbers int; yes and no bool; timestamps whole microseconds since 1970 in UTC;
    dates whole days since 1970; null None. `kind` is the type of its results, which come in the same form.
    """

    reads: tuple[str, ...]
    kind: str
    rows: Callable[..., list[Any]]

    def __call__(self, columns: Mapping[str, Sequence[Any]], rows: int) -> list[Any]:
        """One result per row. Raises Unplain for rows whose results only Polars knows."""
        try:
            return self.rows(*[columns[name] for name in self.reads], rows)
        except _BEYOND as error:
            raise Unplain(str(error)) from error


def plain(parsed: pl.Expr, columns: Mapping[str, str], dtype: Any) -> PlainFunction | None:
    """The expression over `columns` (name to contract type) with results of the Polars type `dtype`.

    None where it holds anything that is not known to give what Polars gives.
    """
    names = Names(columns, dict(_NAMESPACE))
    try:
        code = code_of(json.loads(parsed.meta.serialize(format="json")), names)
        if _RESULTS.get(code.kind) != dtype or not names.refuses_alike:
            return None
        return PlainFunction(tuple(names.reads), code.kind, _compiled(code.either, names))
    except _UNKNOWN:
        return None


def _compiled(source: str, names: Names) -> Callable[..., list[Any]]:
    given, variables = [f"of_{name}" for name in names.reads.values()], list(names.reads.values())
    if not given:
        body = f"[{source}] * rows"
    elif len(given) == 1:
        body = f"[{source} for {variables[0]} in {given[0]}]"
    else:
        body = f"[{source} for {', '.join(variables)} in zip({', '.join(given)})]"
    text = f"def computed({', '.join([*given, 'rows'])}):\n    return {body}\n"
    namespace = names.constants
    exec(compile(text, "<expression>", "exec"), namespace)  # noqa: S102 - our own source; texts are constants
    function: Callable[..., list[Any]] = namespace["computed"]
    return function

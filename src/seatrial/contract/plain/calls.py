"""Functions of SQL: which pieces they take and what they become."""

from collections.abc import Callable
from typing import Any

from seatrial.contract.plain import logic, numbers, texts, times
from seatrial.contract.plain.operators import operation
from seatrial.contract.plain.parts import WHOLE, Code, Names, needs, only, reader

_MOST_PLACES = 15


def call(function: Any, parts: list[Code], names: Names) -> Code:
    """What a function gives, named as Polars serialises it. Raises Unsupported."""
    if isinstance(function, str):
        return reader(_FUNCTIONS, function)(parts, names)
    group, detail = only(function)
    return reader(_GROUPS, group)(detail, parts, names)


def _boolean(name: str, parts: list[Code], _: Names) -> Code:
    (code,) = parts
    return reader(_TESTS, name)(code)


def _is_finite(code: Code) -> Code:
    needs(code.kind == "Float64" and not code.is_literal)
    return Code("Boolean", f"({code.value} - {code.value} == 0.0)", code.null)


def _sql(function: Any, parts: list[Code], names: Names) -> Code:
    name, detail = only(function)
    if name == "Binary":
        left, right = parts
        return operation(detail, left, right, names)
    if name == "Round":
        return _rounded(parts[0], detail["decimals"], names)
    needs(name == "IsIn" and detail == {"nulls_equal": False})
    code, listed = parts
    return _is_in(code, listed, names)


def _is_in(code: Code, listed: Code, names: Names) -> Code:
    needs(listed.kind == "listed" and not code.is_literal)
    values = listed.literal
    if code.kind == "String":
        needs(all(isinstance(one, str) for one in values))
        found = frozenset(values)
    else:
        found = numbers.listed(code.kind, values)
    return Code("Boolean", f"({code.value} in {names.constant(found)})", code.null)


def _rounded(code: Code, decimals: int, names: Names) -> Code:
    if code.kind in WHOLE and not code.is_literal:
        return code
    needs(0 <= decimals <= _MOST_PLACES)
    return _of_float(code, f"rounded({code.value}, {names.constant(10.0**decimals)})")


def _temporal(name: Any, parts: list[Code], names: Names) -> Code:
    code, *rest = parts
    needs(not code.is_literal)
    if name == {"TimeStamp": "Nanoseconds"}:
        return times.nanoseconds(code, names)
    if name == "OffsetBy":
        (offset,) = rest
        needs(isinstance(offset.literal, str))
        return times.later(code, offset.literal, names)
    needs(not rest)
    return times.time_part(name, code, names)


def _string(name: Any, parts: list[Code], names: Names) -> Code:
    code, *rest = parts
    needs(not code.is_literal)
    if isinstance(name, str):
        return reader(_TEXT_FUNCTIONS, name)(code, *rest, names)
    group, detail = only(name)
    needs(group == "Contains")
    (pattern,) = rest
    return (texts.contains if detail["literal"] else texts.like)(code, pattern, names)


def _power(name: str, parts: list[Code], _: Names) -> Code:
    (code,) = parts
    needs(name == "Sqrt")
    return _of_float(code, f"root({code.value})")


def _of_float(code: Code, source: str) -> Code:
    needs(code.kind == "Float64" and not code.is_literal)
    return Code("Float64", source, code.null)


def _whole_function(function: str) -> Callable[..., Code]:
    """A function of floats that leaves whole numbers as they are."""

    def computed(parts: list[Code], _: Names) -> Code:
        (code,) = parts
        needs(not code.is_literal)
        return code if code.kind in WHOLE else _of_float(code, f"{function}({code.value})")

    return computed


def _absolute(parts: list[Code], names: Names) -> Code:
    (code,) = parts
    return numbers.absolute(code, names)


def _filled(parts: list[Code], names: Names) -> Code:
    needs(len({part.kind for part in parts}) == 1)
    return logic.first_known(parts, names)


def _least(parts: list[Code], names: Names) -> Code:
    return numbers.extreme("least", parts, names)


def _greatest(parts: list[Code], names: Names) -> Code:
    return numbers.extreme("greatest", parts, names)


_FUNCTIONS: dict[str, Callable[..., Code]] = {
    "Coalesce": logic.first_known,
    "FillNull": _filled,
    "MinHorizontal": _least,
    "MaxHorizontal": _greatest,
    "Abs": _absolute,
    "Floor": _whole_function("floor"),
    "Ceil": _whole_function("ceil"),
}
_GROUPS: dict[str, Callable[..., Code]] = {
    "Boolean": _boolean,
    "Pow": _power,
    "Sql": _sql,
    "TemporalExpr": _temporal,
    "StringExpr": _string,
}
_TESTS: dict[str, Callable[..., Code]] = {
    "Not": logic.negated,
    "IsNull": logic.is_null,
    "IsNotNull": logic.is_not_null,
    "IsFinite": _is_finite,
}
_TEXT_FUNCTIONS: dict[str, Callable[..., Code]] = {
    "StartsWith": texts.starts_with,
    "EndsWith": texts.ends_with,
    "Slice": texts.sliced,
    "StripChars": texts.without_blanks,
    "Uppercase": texts.in_capitals,
    "Lowercase": texts.in_small_letters,
    "LenChars": texts.length,
}

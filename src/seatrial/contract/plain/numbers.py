"""Numbers: their types, arithmetic and comparisons, as Polars has them in tables.

Polars counts NaN as equal to itself and above everything, divides a column by a literal by multiplying with its
inverse, and takes shortcuts for zero and one, which show in the sign of zero.
"""

import math
from decimal import Decimal

from seatrial.contract.plain import decimals
from seatrial.contract.plain.functions import quotient
from seatrial.contract.plain.parts import WHOLE, Code, Names, needs, null_of

_MOST_DIGITS = 18
_EXACT = 2**53
COMPARED = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtEq": "<=", "Gt": ">", "GtEq": ">="}
_MIRRORED = {"Lt": "Gt", "LtEq": "GtEq"}


def is_number(code: Code) -> bool:
    """Whether it is a number that can be cast to a float."""
    return code.kind in WHOLE or code.kind in ("Float64", "dynamic") or decimals.is_decimal(code)


def as_float(code: Code, names: Names) -> Code:
    """The number as Float64."""
    if code.kind == "Float64":
        return code
    if decimals.is_decimal(code):
        return decimals.as_float(code, names)
    if code.kind == "dynamic":
        return float_literal(float(code.literal), names)
    needs(code.kind in WHOLE and not code.is_literal)
    return Code("Float64", f"float({code.value})", code.null, sure=True)


def float_literal(number: float, names: Names) -> Code:
    """A literal Float64."""
    return Code("Float64", names.constant(number), literal=number, sure=not math.isnan(number))


def as_whole(code: Code, kind: str, names: Names) -> Code:
    """The whole number as a wider `kind`."""
    if code.kind == "dynamic":
        low, high = WHOLE[kind]
        needs(low <= code.literal <= high)
        return Code(kind, names.constant(code.literal), literal=code.literal)
    return Code(kind, code.value, code.null, code.whole, code.literal)


def alike(parts: list[Code], names: Names) -> list[Code]:
    """The numbers as the type that Polars gives numbers that meet. Raises Unsupported where it is not known."""
    needs(all(map(is_number, parts)))
    if any(part.kind == "Float64" for part in parts):
        return [as_float(part, names) for part in parts]
    if any(map(decimals.is_decimal, parts)):
        return decimals.aligned(parts, names)
    whole = {part.kind for part in parts} - {"dynamic"}
    needs(len(whole) == 1 or "Int64" in whole)
    kind = whole.pop() if len(whole) == 1 else "Int64"
    return [as_whole(part, kind, names) for part in parts]


def arithmetic(operator: str, left: Code, right: Code, names: Names) -> Code:
    """A sum, difference or product. One of both differs from row to row."""
    needs(not (left.is_literal and right.is_literal))
    if "Float64" not in (left.kind, right.kind) and (decimals.is_decimal(left) or decimals.is_decimal(right)):
        return decimals.arithmetic(operator, left, right, names)
    left, right = alike([left, right], names)
    null = null_of([left, right])
    if left.kind != "Float64":
        return _whole_result(left.kind, f"{left.value} {operator} {right.value}", null, names)
    return Code(
        "Float64", _shortcut(operator, left, right) or f"({left.value} {operator} {right.value})", null
    )


def _shortcut(operator: str, left: Code, right: Code) -> str | None:
    if operator == "-" and left.literal == 0:
        return f"(-{right.value})"
    if right.literal == 0 and operator in "+-":
        return left.value
    if left.literal == 0 and operator == "+":
        return right.value
    return None


def remainder(left: Code, right: Code, names: Names) -> Code:
    """What is left of a division of whole numbers; null for a division by zero."""
    needs(not (left.is_literal and right.is_literal))
    left, right = alike([left, right], names)
    needs(left.kind in WHOLE and left.kind != "UInt32")
    found = names.nullable(left.kind, f"remainder({left.value}, {right.value})")
    given = null_of([left, right])
    if given is None:
        return found
    assert found.null is not None
    return Code(found.kind, found.value, f"{given} or {found.null}")


def absolute(code: Code, names: Names) -> Code:
    """Without its sign."""
    needs(not code.is_literal)
    if code.kind == "Float64":
        return Code("Float64", f"abs({code.value})", code.null, sure=code.sure)
    needs(code.kind in WHOLE)
    return _whole_result(code.kind, f"abs({code.value})", code.null, names)


def _whole_result(kind: str, source: str, null: str | None, names: Names) -> Code:
    low, high = (names.constant(bound) for bound in WHOLE[kind])
    name = names.kept()
    return Code(kind, f"({name} if {low} <= ({name} := {source}) <= {high} else overflown())", null)


def division(left: Code, right: Code, names: Names) -> Code:
    """A quotient as Float64, whatever the numbers are."""
    needs(not (left.is_literal and right.is_literal))
    # Of a whole number and a decimal, Polars makes a decimal.
    exact = decimals.is_decimal(left) or decimals.is_decimal(right)
    needs(not exact or "Float64" in (left.kind, right.kind))
    left, right = as_float(left, names), as_float(right, names)
    null = null_of([left, right])
    if right.is_literal:
        inverse = names.constant(quotient(1.0, right.literal))
        return Code("Float64", f"({left.value} * {inverse})", null)
    return Code("Float64", f"quotient({left.value}, {right.value})", null)


def compared(operator: str, left: Code, right: Code, names: Names) -> Code:
    """Whether one number stands in a relation to another."""
    needs(not (left.is_literal and right.is_literal))
    if operator in _MIRRORED:
        return compared(_MIRRORED[operator], right, left, names)
    left, right = alike([left, right], names)
    null = null_of([left, right])
    if left.kind != "Float64":
        return Code("Boolean", f"({left.value} {COMPARED[operator]} {right.value})", null)
    return Code("Boolean", _total_order(operator, left, right, names), null)


def _total_order(operator: str, left: Code, right: Code, names: Names) -> str:
    if left.sure and right.sure:
        return f"({left.value} {COMPARED[operator]} {right.value})"
    one, one_again = names.twice(left.value)
    other, other_again = names.twice(right.value)
    plain = f"{one} {COMPARED[operator]} {other}"
    nan, other_nan = f"{one_again} != {one_again}", f"{other_again} != {other_again}"
    number, other_number = f"{one_again} == {one_again}", f"{other_again} == {other_again}"
    if operator == "GtEq":
        return f"({plain})" if left.sure else f"({plain} or {nan})"
    if operator == "Gt":
        return f"({plain})" if left.sure else f"({plain} or ({nan} and {other_number}))"
    if operator == "Eq":
        return f"({plain})" if left.sure or right.sure else f"({plain} or ({nan} and {other_nan}))"
    return f"({plain})" if left.sure or right.sure else f"({plain} and ({number} or {other_number}))"


def extreme(function: str, parts: list[Code], names: Names) -> Code:
    """What `least` or `greatest` gives: of what is neither null nor NaN; NaN where all others are null."""
    found, *rest = alike(parts, names)
    for one in rest:
        source = f"{function}({found.either}, {one.either})"
        never = found.null is None or one.null is None
        found = Code(found.kind, source) if never else names.nullable(found.kind, source)
    return found


def listed(kind: str, values: list[int | Decimal]) -> frozenset[int | float | Decimal]:
    """The numbers of a list in brackets, as numbers of `kind` are compared with them."""
    needs(kind in ("Float64", *WHOLE) and all(isinstance(one, int | Decimal) for one in values))
    if kind != "Float64":
        return frozenset(values)
    needs(all(_is_short(one) for one in values))
    return frozenset(map(float, values))


def _is_short(number: int | Decimal) -> bool:
    """Whether its digits, without the point, fit a float."""
    digits = "".join(map(str, Decimal(number).as_tuple().digits))
    return int(digits) <= _EXACT and len(digits) <= _MOST_DIGITS

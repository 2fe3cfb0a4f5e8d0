"""Operators between two pieces: comparisons, arithmetic, AND and OR."""

from collections.abc import Callable

from seatrial.contract.plain import logic, numbers, texts, times
from seatrial.contract.plain.parts import Code, Names, needs, null_of, reader

_SIGNS = {"Plus": "+", "Minus": "-", "Multiply": "*", "Mul": "*"}


def operation(name: str, left: Code, right: Code, names: Names) -> Code:
    """What an operator gives. Raises Unsupported."""
    if name in numbers.COMPARED:
        return _comparison(name, left, right, names)
    if name == "Plus" and left.kind == right.kind == "String":
        return texts.joined(left, right)
    if name in _SIGNS:
        return numbers.arithmetic(_SIGNS[name], left, right, names)
    return reader(_OPERATORS, name)(left, right, names)


def _comparison(name: str, left: Code, right: Code, names: Names) -> Code:
    needs(not (left.is_literal and right.is_literal))
    if left.kind == right.kind and left.kind in ("String", "Boolean"):
        source = f"({left.value} {numbers.COMPARED[name]} {right.value})"
        return Code("Boolean", source, null_of([left, right]))
    if {left.kind, right.kind} <= {*times.KINDS}:
        return times.compared_times(numbers.COMPARED[name], left, right)
    return numbers.compared(name, left, right, names)


def _rust_division(left: Code, right: Code, names: Names) -> Code:
    """By a literal: whole numbers give a whole number, which is what EXTRACT(epoch ...) needs."""
    needs(right.is_literal and bool(right.literal))
    if right.kind == "Float64":
        return numbers.division(left, right, names)
    needs(left.kind == right.kind == "Int64" and right.literal > 0)
    return Code("Int64", f"({left.value} // {right.value})", left.null)


_OPERATORS: dict[str, Callable[..., Code]] = {
    "And": logic.both,
    "Or": logic.any_of,
    "Div": numbers.division,
    "Rem": numbers.remainder,
    "RustDivide": _rust_division,
}

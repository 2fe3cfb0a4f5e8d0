"""Decimals, which are what Polars makes of literals such as 0.5 and of whole numbers that meet them: exact.

A decimal is held as a whole number of its last places; its kind says how many places there are.
"""

from seatrial.contract.plain.parts import WHOLE, Code, Names, needs, null_of

_KIND = "Decimal"
_MOST_PLACES = 8
# Of the 38 digits that Polars has, some are kept free for what happens between.
_LARGEST = 10**28


def is_decimal(code: Code) -> bool:
    """Whether it is a decimal."""
    return code.kind.startswith(_KIND)


def literal(mantissa: int, places: int, names: Names) -> Code:
    """A literal decimal."""
    needs(0 <= places <= _MOST_PLACES and abs(mantissa) <= _LARGEST)
    return Code(f"{_KIND}{places}", names.constant(mantissa), literal=mantissa)


def as_float(code: Code, names: Names) -> Code:
    """The decimal as Float64; a literal stays one."""
    unit = 10 ** _places(code)
    if code.is_literal:
        number = code.literal / unit
        return Code("Float64", names.constant(number), literal=number, sure=True)
    return Code("Float64", f"({code.value} / {names.constant(unit)})", code.null, sure=True)


def aligned(parts: list[Code], names: Names) -> list[Code]:
    """Whole numbers and decimals as decimals with as many places as the longest."""
    places = max(map(_places, parts))
    return [_with_places(part, places, names) for part in parts]


def _with_places(code: Code, places: int, names: Names) -> Code:
    factor = 10 ** (places - _places(code))
    if code.is_literal:
        return literal(code.literal * factor, places, names)
    value = code.value if factor == 1 else f"({code.value} * {names.constant(factor)})"
    return Code(f"{_KIND}{places}", value, code.null)


def arithmetic(operator: str, left: Code, right: Code, names: Names) -> Code:
    """A sum, difference or product."""
    if operator == "*":
        places = _places(left) + _places(right)
        needs(places <= _MOST_PLACES)
        left, right = _with_value(left, names), _with_value(right, names)
    else:
        left, right = aligned([left, right], names)
        places = _places(left)
    source = f"{left.value} {operator} {right.value}"
    name, largest = names.kept(), names.constant(_LARGEST)
    within = f"({name} if -{largest} <= ({name} := {source}) <= {largest} else overflown())"
    return Code(f"{_KIND}{places}", within, null_of([left, right]))


def _with_value(code: Code, names: Names) -> Code:
    return Code(code.kind, names.constant(code.literal)) if code.is_literal else code


def _places(code: Code) -> int:
    if code.kind in WHOLE or code.kind == "dynamic":
        return 0
    needs(is_decimal(code))
    return int(code.kind.removeprefix(_KIND))

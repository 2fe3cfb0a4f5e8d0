"""Casts that cannot fail, and those of texts to numbers."""

from typing import Any

from seatrial.contract.plain import decimals, numbers, times
from seatrial.contract.plain.parts import WHOLE, Code, Names, needs, only

_READ = {"Int32": "read_short", "Int64": "read_long", "Float64": "read_float"}


def cast(code: Code, dtype: Any, options: str, names: Names) -> Code:
    """The piece as another type, both given as Polars serialises them. Raises Unsupported."""
    target = _target(dtype)
    if code.kind == target:
        return code
    if target == "Float64" and (code.kind == "dynamic" or decimals.is_decimal(code)):
        return numbers.as_float(code, names)
    needs(not code.is_literal)
    if code.kind == "String" and target in _READ:
        needs(options in ("Strict", "NonStrict"))
        names.strict |= options == "Strict"
        return Code(target, f"{_READ[target]}({code.value})", code.null, sure=True)
    return _converted(code, target, names)


def _target(dtype: Any) -> str:
    kind = dict([only(dtype)]).get("Literal")
    if isinstance(kind, str):
        return kind
    unit, zone = dict([only(kind)]).get("Datetime", (None, None))
    needs(unit == "Microseconds" and zone in (None, {"inner": "UTC"}))
    return "wall" if zone is None else "moment"


def _converted(code: Code, target: str, names: Names) -> Code:
    if target == "Float64" and code.kind in WHOLE:
        return numbers.as_float(code, names)
    if target == "Int64" and code.kind in WHOLE:
        return numbers.as_whole(code, target, names)
    if code.kind == "Boolean" and target in ("Float64", *WHOLE):
        function = "float" if target == "Float64" else "int"
        return Code(target, f"{function}({code.value})", code.null, sure=True)
    if target in ("moment", "wall"):
        return times.as_moment(code, target)
    if target == "Date":
        return times.as_day(code)
    needs(target == "String" and code.kind in WHOLE)
    return Code("String", f"str({code.value})", code.null)

"""Functions of numbers as Polars has them, down to the sign of zero. They run in generated functions."""

import math

from seatrial.contract.plain.parts import Unplain


def overflown() -> int:
    """Raises Unplain: Polars wraps around."""
    raise Unplain("a whole number beyond its type")


def quotient(number: float, by: float) -> float:
    """The quotient, as IEEE 754 has it for zero."""
    if by:
        return number / by
    if number == 0 or math.isnan(number):
        return math.nan
    return math.copysign(math.inf, number) * math.copysign(1.0, by)


def remainder(number: int, by: int) -> int | None:
    """What is left of a division towards zero; None for a division by zero."""
    if by == 0:
        return None
    left = abs(number) % abs(by)
    return -left if number < 0 else left


def floor(number: float) -> float:
    """The whole number that is not above."""
    return math.copysign(float(math.floor(number)), number) if math.isfinite(number) else number


def ceil(number: float) -> float:
    """The whole number that is not below."""
    return math.copysign(float(math.ceil(number)), number) if math.isfinite(number) else number


def rounded(number: float, factor: float) -> float:
    """The nearest multiple of 1 / factor, of two that are equally near the even one."""
    scaled = number * factor
    if not math.isfinite(scaled):
        return number
    return math.copysign(float(round(scaled)), scaled) / factor


def root(number: float) -> float:
    """The square root; NaN of what is below zero."""
    return math.nan if number < 0 else math.sqrt(number)


def least(one: float | None, other: float | None) -> float | None:
    """The lower of two numbers, the later one of equals."""
    if one is None or other is None:
        return other if one is None else one
    return one if one < other or math.isnan(other) else other


def greatest(one: float | None, other: float | None) -> float | None:
    """The higher of two numbers, the later one of equals."""
    if one is None or other is None:
        return other if one is None else one
    return one if one > other or math.isnan(other) else other

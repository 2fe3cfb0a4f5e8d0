"""Where an incremental reading stopped: the largest value of a column so far, kept with its type."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_WRITTEN: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    int: ("integer", int, int),
    float: ("number", float, float),
    str: ("string", str, str),
    datetime: ("timestamp", datetime.isoformat, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    Decimal: ("decimal", str, Decimal),
}
_READ = {name: read for name, _, read in _WRITTEN.values()}


def as_json(value: Any) -> dict[str, Any] | None:
    """A value as JSON that tells its type; None for no value. Raises TypeError for a type without an order."""
    if value is None:
        return None
    if type(value) not in _WRITTEN:
        raise TypeError(f"expected a column of numbers, texts or times, received {type(value).__name__}")
    name, write, _ = _WRITTEN[type(value)]
    return {"type": name, "value": write(value)}


def from_json(written: Mapping[str, Any] | None) -> Any:
    """The value that `as_json` wrote."""
    return None if written is None else _READ[written["type"]](written["value"])

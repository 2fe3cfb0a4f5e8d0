"""How a fault of a request is told: where it is, what was expected and what came."""

import math

import msgspec

Fault = dict[str, object]

_SHOWN = 80


def fault(row: int | None, field: str, expected: str, received: object, *, quoted: bool = True) -> Fault:
    """A fault of a row's field; `received` is shown as JSON, shortened, or with quoted=False as the text it is."""
    shown = _shown(received) if quoted else str(received)
    return {
        "row": row,
        "field": speakable(field),
        "expected": speakable(expected),
        "received": speakable(shown),
    }


def speakable(text: str) -> str:
    """The text, with what UTF-8 cannot say written out."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _shown(value: object) -> str:
    try:
        text = _written(value)
    except RecursionError:
        text = "a value that is nested too deeply"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _written(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    try:
        return msgspec.json.encode(value, enc_hook=repr).decode()
    except (TypeError, ValueError, OverflowError):
        return repr(value)

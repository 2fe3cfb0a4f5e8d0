"""What HTTP itself can be refused for, apart from the errors of the inside."""

from collections.abc import Mapping, Sequence

_TOLD_FAULTS = 3
_LONGEST_FAULT = 200


class Refusal(Exception):
    """A request that HTTP refuses: status, stable code, message, and what is wrong where."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[dict[str, object]] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.status, self.code = status, code
        self.details, self.headers = tuple(details), tuple(headers)
        super().__init__(message)


def faulty(details: Sequence[dict[str, object]]) -> Refusal:
    """400 with every fault in the details."""
    return Refusal(400, "request_invalid", told_faults(details), details=details)


def told_faults(faults: Sequence[Mapping[str, object]]) -> str:
    """Faults in a sentence that names the first ones: some clients show their users nothing else of an answer."""
    told = "; ".join(map(_fault, faults[:_TOLD_FAULTS]))
    head = f"{len(faults)} fault{'' if len(faults) == 1 else 's'} in the request: {told}"
    left = len(faults) - _TOLD_FAULTS
    return f"{head}; and {left} more, see details" if left > 0 else head


def _fault(fault: Mapping[str, object]) -> str:
    row = "" if fault["row"] is None else f"row {fault['row']}"
    place = ", ".join(filter(None, (row, str(fault["field"]))))
    text = f"{place}: expected {fault['expected']}, received {fault['received']}".removeprefix(": ")
    return text if len(text) <= _LONGEST_FAULT else f"{text[: _LONGEST_FAULT - 1]}…"


def unknown_path(path: str) -> Refusal:
    """404."""
    return Refusal(
        404, "not_found", f"nothing is at {path!r}; expected /v1/products/<product>/predict or the like"
    )


def wrong_method(method: str, allowed: Sequence[str]) -> Refusal:
    """405, with the methods that would do."""
    return Refusal(
        405,
        "method_not_allowed",
        f"expected {' or '.join(allowed)}, got {method}",
        headers=[("allow", ", ".join(allowed))],
    )


def too_large(limit: int) -> Refusal:
    """413."""
    return Refusal(
        413, "too_large", f"expected a body of at most {limit} bytes; send the rows in several requests"
    )


def too_many(rows: int, limit: int) -> Refusal:
    """413 for rows."""
    return Refusal(
        413, "too_large", f"expected at most {limit} rows, got {rows}; send them in several requests"
    )


def too_slow(seconds: float) -> Refusal:
    """408: the body did not come in time."""
    return Refusal(
        408, "too_slow", f"expected the whole body within {seconds:g} seconds; send it again, faster"
    )


def client_gone() -> Refusal:
    """499: nobody hears this; it is counted."""
    return Refusal(499, "client_gone", "the client went away")


def wrong_type(received: str, expected: Sequence[str] = ("application/json",)) -> Refusal:
    """415, also for a body without a type."""
    return Refusal(
        415,
        "unsupported_media_type",
        f"expected the header content-type: {' or '.join(expected)}, got {received or 'none'}",
    )


def foreign_host(received: str, expected: Sequence[str]) -> Refusal:
    """403 for a name that is not this server's."""
    shown = repr(received) if received else "none"
    return Refusal(403, "foreign_host", f"expected a host of {', '.join(expected)}, got {shown}")


def foreign_origin(origin: str, host: str) -> Refusal:
    """403 for a page of another site."""
    return Refusal(403, "foreign_origin", f"a page of {origin!r} may not speak to {host}")


def malformed(reason: str) -> Refusal:
    """400 for a body that cannot be read at all."""
    return Refusal(400, "malformed", f"the body cannot be read: {reason}")

"""What HTTP itself can be refused for, apart from the errors of the inside."""

from collections.abc import Sequence


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


def wrong_type(received: str) -> Refusal:
    """415, also for a body without a type."""
    return Refusal(
        415,
        "unsupported_media_type",
        f"expected the header content-type: application/json, got {received or 'none'}",
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

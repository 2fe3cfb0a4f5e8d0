"""Request headers, read with suspicion."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_TRACEPARENT = re.compile(
    r"^(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:/+=-]{1,128}$")
_V0_LENGTH = 55
_SAMPLED = 1


class TraceParent(NamedTuple):
    """The caller's span: ids in hexadecimal digits, and whether the caller's own spans are recorded."""

    trace: str
    span: str
    sampled: bool


def header_map(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; of several with one name the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C `traceparent`, or None when there is none or it is malformed, as the standard asks."""
    found = trace_parent(traceparent)
    return None if found is None else found.trace


def trace_parent(traceparent: str | None) -> TraceParent | None:
    """What a W3C `traceparent` says, or None when there is none or it is malformed, as the standard asks."""
    match = _TRACEPARENT.match(traceparent) if traceparent else None
    if (
        match is None
        or match["version"] == "ff"
        or not int(match["trace"], 16)
        or not int(match["parent"], 16)
    ):
        return None
    assert traceparent is not None
    tail = traceparent[_V0_LENGTH:]
    if tail and (match["version"] == "00" or not tail.startswith("-")):
        return None
    return TraceParent(match["trace"], match["parent"], bool(int(match["flags"], 16) & _SAMPLED))


def sound_request_id(given: str) -> bool:
    """Whether a caller's request id can be logged and echoed."""
    return _REQUEST_ID.match(given) is not None


def deadline_seconds(milliseconds: str | None) -> float | None:
    """Seconds of `x-envoy-expected-rq-timeout-ms`; None when it is absent, or no positive number up to days."""
    if milliseconds is None or len(milliseconds) > 9 or not milliseconds.isdecimal() or not int(milliseconds):
        return None
    return int(milliseconds) / 1000

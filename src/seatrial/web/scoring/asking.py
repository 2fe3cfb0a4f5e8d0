"""From a call to what the engine is asked: the parts that every door reads alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.serve.request import Request
from seatrial.serve.serving import Serving
from seatrial.web.scoring.call import Call, Headers
from seatrial.web.scoring.headers import deadline_seconds, trace_id
from seatrial.web.scoring.refusals import malformed, too_many, wrong_method

LONGEST_KEY = 255


def asked(
    call: Call,
    serving: Serving,
    rows: Sequence[Mapping[str, Any]],
    *,
    limit: int,
    arrived: float,
    partial: bool = False,
    idempotency_key: str | None = None,
) -> Request:
    """The request for the engine; a key in the body goes before the one in the header.

    `arrived` is when the call came, in seconds of the serving's steady clock.

    Raises Refusal: 413 for more than `limit` rows, 400 for a key that is too long.
    """
    if len(rows) > limit:
        raise too_many(len(rows), limit)
    key = sound_key(idempotency_key, call.headers)
    return Request(
        rows=rows,
        partial=partial,
        idempotency_key=key,
        trace_id=trace_id(call.headers.get("traceparent")),
        received_at=serving.now(),
        arrived=arrived,
    )


def sound_key(key: str | None, headers: Headers) -> str | None:
    """The idempotency key of the body, else of the header; an empty one is none.

    Raises Refusal (400) for one that is too long, or that cannot be read: dropped, it would not do what it is for.
    """
    key = key or headers.get("idempotency-key")
    if key is None and "idempotency-key" in headers:
        raise malformed(
            "expected an idempotency key of visible ASCII characters; others may stand in the body"
        )
    if key and len(key) > LONGEST_KEY:
        raise malformed(f"expected an idempotency key of at most {LONGEST_KEY} characters, got {len(key)}")
    return key or None


def shortest_deadline(call: Call, seconds: float | None = None) -> float | None:
    """The shorter of the deadline in the body and the one in the headers; None when there is neither."""
    given = [
        one for one in (seconds, deadline_seconds(call.headers.get("x-envoy-expected-rq-timeout-ms"))) if one
    ]
    return min(given, default=None)


def expect_method(call: Call, *methods: str) -> None:
    """Return if the method is one of those. Raises Refusal (405)."""
    if call.method not in methods:
        raise wrong_method(call.method, methods)

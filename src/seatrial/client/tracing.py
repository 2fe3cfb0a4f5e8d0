"""The W3C trace context that a call belongs to."""

import sys
from importlib import import_module


def trace_headers(traceparent: str | None) -> dict[str, str]:
    """`traceparent` as given; else what OpenTelemetry's propagators inject, where the program uses OpenTelemetry."""
    if traceparent is not None:
        return {"traceparent": traceparent}
    # Without this module no context can be active, and importing it here would cost a program that has none.
    if "opentelemetry.trace" not in sys.modules:
        return {}
    headers: dict[str, str] = {}
    import_module("opentelemetry.propagate").inject(headers)
    return headers

"""Whether requests are traced: as OpenTelemetry's environment variables say, if its libraries are installed."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from seatrial.serve.observer import Observer
from seatrial.web.scoring.call import Call, Reply

Answer = Callable[[Call], Awaitable[Reply]]
_EXPORTERS = ("otlp", "console")
_PROTOCOL = "http/protobuf"
_log = logging.getLogger(__name__)


class Tracing(Observer, Protocol):
    """Makes a span of each request."""

    async def answer(self, answer: Answer, call: Call, scheme: str, version: str) -> Reply:
        """What `answer` answers to the call; `scheme` and `version` are those of HTTP."""
        ...

    def close(self) -> None:
        """Send the spans that are left, within seconds."""
        ...


def tracing(environment: Mapping[str, str], *, instance: str) -> Tracing | None:
    """The tracing that the environment asks for; None, with a warning where something was asked for in vain.

    That never keeps a server from starting: the variables are often set for a whole cluster. `instance` names this
    worker.
    """
    exporter = _exporter(environment)
    if exporter is None:
        return None
    if problem := _problem(environment, exporter):
        _log.warning("requests are not traced: %s", problem)
        return None
    try:
        from seatrial.web.scoring.tracing_spans import exported
    except ImportError as error:
        _log.warning(
            "requests are not traced: %s is asked for, but %s is not installed; pip install 'seatrial[telemetry]'",
            "OTEL_TRACES_EXPORTER"
            if "OTEL_TRACES_EXPORTER" in environment
            else "OTEL_EXPORTER_OTLP_ENDPOINT",
            error.name,
        )
        return None
    return exported(environment, exporter, instance)


def _exporter(environment: Mapping[str, str]) -> str | None:
    """The exporter that is asked for, if any."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if named:
        return None if named == "none" else named
    places = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return "otlp" if any(environment.get(place, "").strip() for place in places) else None


def _problem(environment: Mapping[str, str], exporter: str) -> str | None:
    if exporter not in _EXPORTERS:
        return f"OTEL_TRACES_EXPORTER is {exporter!r}, expected one of {', '.join(_EXPORTERS)} or none"
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if given := environment.get(name, "").strip():
            return None if given == _PROTOCOL else f"{name} is {given!r}, expected {_PROTOCOL}"
    return None

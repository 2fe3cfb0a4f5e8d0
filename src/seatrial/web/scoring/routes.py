"""Paths with the names left out: callers must not be able to fill counters and traces with their paths."""

_SHORT = {"livez", "readyz", "healthz", "metrics", "invocations", "ping", "version", "health"}
_NATIVE = ("predict", "outcomes", "actions", "openapi.json")
OTHER = "(other)"


def route_of(path: str) -> str:
    """The route that a path belongs to: one of few."""
    parts = path.split("/")
    if len(parts) < 2:
        return OTHER
    if parts[1] == "v1" and len(parts) > 3 and parts[2] == "products":
        return _native(parts)
    if parts[1] == "v2":
        return f"/v2/models/{{model}}/{parts[-1]}" if parts[-1] in ("infer", "ready") else "/v2"
    return path if len(parts) == 2 and parts[1] in _SHORT else OTHER


def _native(parts: list[str]) -> str:
    if len(parts) == 4:
        return "/v1/products/{product}"
    known = len(parts) == 5 and parts[4] in _NATIVE
    return f"/v1/products/{{product}}/{parts[4]}" if known else OTHER

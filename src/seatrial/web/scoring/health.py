"""The door that says how the server is."""

from collections.abc import Mapping

import msgspec

from seatrial.serve.serving import Serving
from seatrial.web.scoring.call import Call, Guard, Reply
from seatrial.web.scoring.metrics import Metrics
from seatrial.web.scoring.metrics_text import CONTENT_TYPE
from seatrial.web.scoring.refusals import unknown_path, wrong_method

_encode = msgspec.json.Encoder().encode


class HealthDoor:
    """/livez: the event loop turns. /readyz, /healthz: requests should come here. /metrics: all workers' numbers."""

    segments = ("livez", "readyz", "healthz", "health", "metrics")

    def __init__(self, servings: Mapping[str, Serving], guard: Guard, metrics: Metrics) -> None:
        self._servings, self._guard, self._metrics = servings, guard, metrics

    async def reply(self, call: Call) -> Reply:
        """The answer. Whether the server lives and is ready, callers may ask without a token."""
        self._guard.check(call, "operate")
        if call.method not in ("GET", "HEAD"):
            raise wrong_method(call.method, ("GET", "HEAD"))
        match call.path:
            case "/livez":
                return Reply(200, _encode({"status": "alive"}))
            case "/readyz" | "/healthz" | "/health":
                return self._ready()
            case "/metrics":
                return Reply(200, (await self._metrics.text()).encode(), CONTENT_TYPE)
        raise unknown_path(call.path)

    def refused(self, call: Call, status: int, body: dict[str, object]) -> bytes:
        """Errors as they are."""
        del call, status
        return _encode(body)

    def _ready(self) -> Reply:
        states = {name: _state(serving) for name, serving in self._servings.items()}
        ready = bool(states) and all(serving.ready for serving in self._servings.values())
        body: dict[str, object] = {"ready": ready, "products": states}
        failing = {name: found for name, one in self._servings.items() if (found := _failing(one))}
        if failing:  # the fallback answers, so requests may come
            body["failing"] = failing
        return Reply(200 if ready else 503, _encode(body))


def _failing(serving: Serving) -> dict[str, str]:
    """Why the releases in front of the traffic that give no scores give none."""
    routes, failing = serving.engine.routes, serving.counters.failing
    present = () if routes is None else routes.releases
    return {one.id: failing[one.id] for one in present if one.id in failing}


def _state(serving: Serving) -> str:
    return "ready" if serving.hindrance is None else f"not ready: {serving.hindrance}"

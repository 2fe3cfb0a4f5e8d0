"""The door of the Open Inference Protocol V2 over REST, with its binary tensors: /v2/..."""

from collections.abc import Mapping

import msgspec

from seatrial import __version__
from seatrial.errors import NotFound, NotReady
from seatrial.serve.serving import Serving
from seatrial.web.scoring.asking import asked, expect_method, shortest_deadline
from seatrial.web.scoring.call import JSON, Call, Guard, Reply
from seatrial.web.scoring.encodings import compressed, plain_body
from seatrial.web.scoring.oip_messages import InferBody, infer_body, split
from seatrial.web.scoring.oip_outputs import OUTPUTS, infer_reply, wanted_outputs
from seatrial.web.scoring.oip_tensors import TensorReader
from seatrial.web.scoring.refusals import Refusal, malformed, unknown_path

# Some clients name no type; a browser must name one of these to send a page's own bytes, and asks first.
_TYPES = ("", JSON, "application/octet-stream")
_SERVER = {"name": "seatrial", "version": __version__, "extensions": ["binary_tensor_data"]}
_encoder = msgspec.json.Encoder()


class OipDoor:
    """Products as models; the live release is a model's only version. Knows neither loading nor unloading."""

    segments: tuple[str, ...] = ("v2",)

    def __init__(
        self,
        servings: Mapping[str, Serving],
        guard: Guard,
        *,
        body_bytes: int = 8 * 1024 * 1024,
        request_rows: int = 10_000,
    ) -> None:
        """`body_bytes` bounds a body that was compressed, `request_rows` the rows of a request."""
        self._servings, self._guard = servings, guard
        self._body_bytes, self._request_rows = body_bytes, request_rows
        self._readers: dict[str, tuple[object, TensorReader]] = {}

    async def reply(self, call: Call) -> Reply:
        """The answer. Raises Refusal and SeatrialError."""
        match call.path.rstrip("/").split("/")[2:]:
            case ["health", "live"]:
                return _shown(call, {"live": True})
            case ["health", "ready"]:
                return self._ready(call, *self._servings)
            case ["models", model, "ready"]:
                self._guard.check(call, "predict")
                return self._model_ready(call, self._serving(model))
            case ["models", model, "versions", version, "ready"]:
                self._guard.check(call, "predict")
                return self._model_ready(call, self._version(model, version))
        self._guard.check(call, "predict")
        return await self._guarded(call)

    async def _guarded(self, call: Call) -> Reply:
        match call.path.rstrip("/").split("/")[2:]:
            case []:
                return _shown(call, _SERVER)
            case ["models"]:
                return _shown(call, {"models": list(self._servings)})
            case ["models", model, *rest]:
                return await self._model(call, model, rest)
            case ["repository", "index"]:
                return await self._index(call)
            case ["repository", "models", _, "load" | "unload"]:
                raise _chosen_elsewhere()
        raise unknown_path(call.path)

    async def _model(self, call: Call, model: str, rest: list[str]) -> Reply:
        match rest:
            case [] | ["infer"]:
                serving = self._serving(model)
            case ["versions", version] | ["versions", version, "infer"]:
                serving = self._version(model, version)
            case _:
                raise unknown_path(call.path)
        if rest[-1:] == ["infer"] and rest != ["versions", "infer"]:
            return await self._infer(call, serving)
        return _shown(call, self._metadata(serving))

    def refused(self, call: Call, status: int, body: dict[str, object]) -> bytes:  # noqa: ARG002 - a Door's own
        """The protocol's clients read the member `error`; the others stand beside it."""
        return _encoder.encode(body)

    def _serving(self, model: str) -> Serving:
        serving = self._servings.get(model)
        if serving is None:
            raise NotFound(
                f"no model {model!r} is served here; served: {', '.join(self._servings) or 'none'}"
            )
        return serving

    def _version(self, model: str, version: str) -> Serving:
        serving = self._serving(model)
        if version != serving.live.id:
            raise NotFound(
                f"model {model!r} has no version {version!r}; its live release is {serving.live.id}"
            )
        return serving

    def _ready(self, call: Call, *products: str) -> Reply:
        ready = all(self._servings[product].ready for product in products)
        return _shown(call, {"ready": ready}, 200 if ready else 503)

    def _model_ready(self, call: Call, serving: Serving) -> Reply:
        return _shown(call, {"name": serving.product, "ready": serving.ready}, 200 if serving.ready else 503)

    def _metadata(self, serving: Serving) -> dict[str, object]:
        return {
            "name": serving.product,
            "versions": [serving.live.id],
            "platform": "seatrial",
            "inputs": self._reader(serving).inputs,
            "outputs": OUTPUTS,
        }

    def _reader(self, serving: Serving) -> TensorReader:
        """One per contract that is live: looking_up and turning a release leave its decoder as it is."""
        live = serving.live
        kept = self._readers.get(serving.product)
        if kept is None or kept[0] is not live.decoder:
            kept = self._readers[serving.product] = (live.decoder, TensorReader(live))
        return kept[1]

    async def _infer(self, call: Call, serving: Serving) -> Reply:
        expect_method(call, "POST")
        arrived = serving.elapsed()
        if call.content_type not in _TYPES:
            raise Refusal(
                415,
                "unsupported_media_type",
                f"expected the header content-type: {' or '.join(_TYPES[1:])}, got {call.content_type}",
            )
        body = await plain_body(call, self._body_bytes)
        reader = self._reader(serving)
        request, tail = _parsed(body, call.headers.get("inference-header-content-length"), reader)
        wanted = wanted_outputs(request)
        rows = reader.rows(request.inputs, tail, limit=self._request_rows)
        question = asked(
            call,
            serving,
            rows,
            limit=self._request_rows,
            arrived=arrived,
            idempotency_key=request.idempotency_key,
        )
        quota = self._guard.charge(call, question.size)
        answers = await serving.predict(question, shortest_deadline(call, request.timeout_seconds))
        return compressed(call, infer_reply(serving.product, request, wanted, answers, quota))

    async def _index(self, call: Call) -> Reply:
        expect_method(call, "POST")
        only_ready = _only_ready(await plain_body(call, self._body_bytes))
        lines = [_line(serving) for serving in self._servings.values() if serving.ready or not only_ready]
        return Reply(200, _encoder.encode(lines))


def _shown(call: Call, body: object, status: int = 200) -> Reply:
    expect_method(call, "GET", "HEAD")
    return Reply(status, _encoder.encode(body))


def _parsed(body: bytes, header: str | None, reader: TensorReader) -> tuple[InferBody, bytes]:
    """The request and the bytes of its tensors. A header of 0 says that there is no JSON, only one tensor."""
    text, tail = split(body, header)
    if text or header is None:
        return infer_body(text), tail
    return InferBody([reader.raw(tail)], parameters={"binary_data_output": True}), tail


def _only_ready(body: bytes) -> bool:
    if not body.strip():
        return False
    try:
        return bool(msgspec.json.decode(body, type=dict[str, bool]).get("ready", False))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(str(error)) from error


def _line(serving: Serving) -> dict[str, object]:
    try:
        version, reason = serving.live.id, "" if serving.ready else "draining"
    except NotReady as error:
        version, reason = "", str(error)
    return {
        "name": serving.product,
        "version": version,
        "state": "READY" if serving.ready else "UNAVAILABLE",
        "reason": reason,
    }


def _chosen_elsewhere() -> Refusal:
    return Refusal(
        403, "forbidden", "releases are put live by `seatrial release`, not by callers of the data plane"
    )

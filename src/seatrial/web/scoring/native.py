"""The native door: predictions, outcomes and actions as JSON, predictions also as Arrow streams."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from seatrial.errors import NotFound
from seatrial.serve.request import Receipt, Request
from seatrial.serve.serving import Serving
from seatrial.web.scoring.arrow import ARROW_STREAM, arrow_answer
from seatrial.web.scoring.asked import asked_in_arrow, asked_in_json
from seatrial.web.scoring.asking import sound_key
from seatrial.web.scoring.call import JSON, Call, Fields, Guard, Reply
from seatrial.web.scoring.headers import deadline_seconds, trace_id
from seatrial.web.scoring.messages import ActionsBody, OutcomesBody, PredictAnswer, product_shown
from seatrial.web.scoring.refusals import malformed, too_many, unknown_path, wrong_method, wrong_type

BodyT = TypeVar("BodyT")
_encode = msgspec.json.Encoder().encode
_outcomes_body = msgspec.json.Decoder(OutcomesBody)
_actions_body = msgspec.json.Decoder(ActionsBody)


class NativeDoor:
    """Speaks under /v1/products/{product}."""

    segments = ("v1",)

    def __init__(self, servings: Mapping[str, Serving], guard: Guard, *, request_rows: int) -> None:
        self._servings = servings
        self._guard = guard
        self._request_rows = request_rows
        self._predicting = {f"/v1/products/{name}/predict": one for name, one in servings.items()}

    async def reply(self, call: Call) -> Reply:
        """The answer to any request under /v1."""
        serving = self._predicting.get(call.path)
        if serving is not None:
            return await self._predict(call, serving)
        reports = call.path.endswith(("/outcomes", "/actions"))
        self._guard.check(call, "outcomes" if reports else "predict")
        match call.path.split("/")[1:]:
            case ["v1", "products", product]:
                _expect_reading(call)
                return Reply(200, _encode(product_shown(self._serving(product))))
            case ["v1", "products", product, "openapi.json"]:
                _expect_reading(call)
                return Reply(200, _encode(_described(self._serving(product))))
            case ["v1", "products", product, "predict"]:
                return await self._predict(call, self._serving(product))
            case ["v1", "products", product, "outcomes"]:
                outcomes = (await _reported(call, _outcomes_body)).outcomes
                quota = self._charged(call, outcomes)
                return _received(await self._serving(product).accept_outcomes(outcomes), quota)
            case ["v1", "products", product, "actions"]:
                actions = (await _reported(call, _actions_body)).actions
                quota = self._charged(call, actions)
                return _received(await self._serving(product).accept_actions(actions), quota)
        raise unknown_path(call.path)

    def refused(self, call: Call, status: int, body: dict[str, object]) -> bytes:
        """Errors as they are."""
        del call, status
        return _encode(body)

    async def _predict(self, call: Call, serving: Serving) -> Reply:
        if call.method != "POST":
            raise wrong_method(call.method, ("POST",))
        self._guard.check(call, "predict")
        kind = call.content_type
        if kind not in (JSON, ARROW_STREAM):
            raise wrong_type(kind, (JSON, ARROW_STREAM))
        serving.present += 1
        try:
            return await self._answered(call, serving, kind)
        finally:
            serving.present -= 1

    async def _answered(self, call: Call, serving: Serving, kind: str) -> Reply:
        arrived = serving.elapsed()
        body = await call.body()
        if kind == ARROW_STREAM:
            asked = asked_in_arrow(serving.live, body, call.query, limit=self._request_rows)
        else:
            asked = asked_in_json(serving.live, body)
        headers = call.headers
        traced = headers.get("traceparent")
        request = Request(
            rows=asked.rows,
            sent=asked.sent,
            partial=asked.partial,
            idempotency_key=sound_key(asked.idempotency_key, headers),
            trace_id=None if traced is None else trace_id(traced),
            arrived=arrived,
        )
        if request.size > self._request_rows:
            raise too_many(request.size, self._request_rows)
        quota = self._guard.charge(call, request.size)
        answers = await serving.predict(
            request, deadline_seconds(headers.get("x-envoy-expected-rq-timeout-ms"))
        )
        if kind == ARROW_STREAM:
            return Reply(200, arrow_answer(answers), ARROW_STREAM, quota)
        told = PredictAnswer(serving.product, answers.release, answers.predictions, answers.faults)
        return Reply(200, _encode(told), JSON, quota)

    def _charged(self, call: Call, rows: Sequence[Any]) -> Fields:
        if len(rows) > self._request_rows:
            raise too_many(len(rows), self._request_rows)
        return self._guard.charge(call, len(rows))

    def _serving(self, product: str) -> Serving:
        serving = self._servings.get(product)
        if serving is None:
            raise NotFound(f"no product {product!r} is served here; served: {', '.join(self._servings)}")
        return serving


def _described(serving: Serving) -> dict[str, object]:
    from seatrial.web.scoring.openapi import openapi

    return openapi(serving)


def _received(receipt: Receipt, quota: Fields) -> Reply:
    return Reply(200, _encode(receipt), JSON, quota)


def _expect_reading(call: Call) -> None:
    if call.method not in ("GET", "HEAD"):
        raise wrong_method(call.method, ("GET", "HEAD"))


async def _reported(call: Call, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    if call.method != "POST":
        raise wrong_method(call.method, ("POST",))
    # A browser sends this type to another site only after asking; without a type it would not ask.
    if call.content_type != JSON:
        raise wrong_type(call.content_type, (JSON,))
    return _decoded(await call.body(), decoder)


def _decoded(body: bytes, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(str(error)) from error

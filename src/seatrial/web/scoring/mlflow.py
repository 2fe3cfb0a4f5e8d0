"""The door of MLflow's scoring protocol: /invocations, /ping, /version; SageMaker knows the same paths."""

from collections.abc import Mapping

import msgspec

from seatrial import __version__
from seatrial.errors import NotFound
from seatrial.serve.request import Answers
from seatrial.serve.serving import Serving
from seatrial.web.scoring.asking import asked, expect_method, shortest_deadline
from seatrial.web.scoring.call import JSON, Call, Guard, Reply
from seatrial.web.scoring.csv_rows import csv_rows
from seatrial.web.scoring.encodings import compressed, plain_body
from seatrial.web.scoring.mlflow_bodies import MlflowBody, json_body
from seatrial.web.scoring.parquet_rows import ParquetReader
from seatrial.web.scoring.refusals import Refusal, unknown_path

CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
_PLAIN = "text/plain; charset=utf-8"
# The names that MLflow's own servers and clients know; what is not here is a BAD_REQUEST below 500.
_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_encoder = msgspec.json.Encoder()


class MlflowDoor:
    """Answers for the only product that is served: the protocol's paths name none."""

    segments: tuple[str, ...] = ("invocations", "ping", "version")

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
        self._parquet = ParquetReader()

    async def reply(self, call: Call) -> Reply:
        """The answer. Raises Refusal and SeatrialError."""
        match call.path:
            case "/ping":
                expect_method(call, "GET", "HEAD")
                ready = all(serving.ready for serving in self._servings.values())
                return Reply(200 if ready else 503, b"\n", _PLAIN)
            case "/version":
                expect_method(call, "GET", "HEAD")
                return Reply(200, __version__.encode(), _PLAIN)
            case "/invocations":
                self._guard.check(call, "predict")
                return await self._invoke(call)
        raise unknown_path(call.path)

    def refused(self, call: Call, status: int, body: dict[str, object]) -> bytes:  # noqa: ARG002 - a Door's own
        """MLflow's error_code and message, and beside them the members of every error here."""
        code = _CODES.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
        return _encoder.encode({"error_code": code, "message": body["error"], **body})

    async def _invoke(self, call: Call) -> Reply:
        expect_method(call, "POST")
        kind = _kind(call)
        serving = self._only()
        arrived = serving.elapsed()
        body = await self._body(call, kind, serving)
        question = asked(
            call,
            serving,
            body.rows,
            limit=self._request_rows,
            arrived=arrived,
            partial=body.params.partial,
            idempotency_key=body.params.idempotency_key,
        )
        quota = self._guard.charge(call, question.size)
        answers = await serving.predict(question, shortest_deadline(call))
        told = _encoder.encode(_predictions(answers, body.params.partial))
        return compressed(call, Reply(200, told, JSON, quota))

    def _only(self) -> Serving:
        if len(self._servings) != 1:
            names = ", ".join(self._servings) or "none"
            raise NotFound(
                f"/invocations names no product, and {len(self._servings)} are served here ({names}); "
                f"ask /v1/products/<product>/predict, or serve one product alone"
            )
        return next(iter(self._servings.values()))

    async def _body(self, call: Call, kind: str, serving: Serving) -> MlflowBody:
        raw = await plain_body(call, self._body_bytes)
        if kind == JSON:
            return json_body(raw)
        if kind == CSV:
            product = serving.live.product
            return MlflowBody(csv_rows(raw, product.request, product.request_columns))
        return MlflowBody(await self._parquet.rows(raw, limit=self._request_rows))


def _kind(call: Call) -> str:
    """The media type, one of the three. Raises Refusal (415) for others, and for texts that are not in UTF-8."""
    if call.content_type not in (JSON, CSV, PARQUET):
        raise _wrong_type(f"{JSON}, {CSV} or {PARQUET}", call.content_type)
    for parameter in (call.headers.get("content-type") or "").split(";")[1:]:
        name, _, value = (part.strip().strip('"').lower() for part in parameter.partition("="))
        if name != "charset" or value not in ("utf-8", "utf8"):
            raise _wrong_type("no parameter but charset=utf-8", parameter.strip())
    return call.content_type


def _wrong_type(expected: str, received: str) -> Refusal:
    return Refusal(
        415,
        "unsupported_media_type",
        f"expected the header content-type: {expected}, got {received or 'none'}",
    )


def _predictions(answers: Answers, partial: bool) -> dict[str, object]:
    """A record per answered row, as MLflow answers a table; the rows left out are named where that was asked for."""
    body: dict[str, object] = {"predictions": answers.predictions}
    return {**body, "faults": answers.faults} if partial else body

"""Everything that a client can ask of a server, as steps for a driver."""

import time
from collections.abc import Mapping, Sequence
from random import SystemRandom
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import msgspec

from seatrial.client.address import Address
from seatrial.client.answers import Fault, Predictions, ProductInfo, Readiness, Receipt
from seatrial.client.attempts import Asked, Manner, exchange
from seatrial.client.parts import ARROW, JSON, Part, Room, Rows, objects_of, parts_of
from seatrial.client.retries import Budget, Retries
from seatrial.client.steps import Reply, Steps
from seatrial.client.tracing import trace_headers
from seatrial.errors import NotFound, RequestInvalid, ServerFailed

# The server's limit is 255 characters; the parts of a large call add the number of their first row.
_LONGEST_KEY = 240
AnswerT = TypeVar("AnswerT")


def calls_of(address: Address, timeout: float, retries: Retries, room: Room) -> "Calls":
    """The calls of a new client at an address, on the monotonic clock."""
    # Randomness without a seed on purpose: the pauses of many clients must differ.
    manner = Manner(retries, Budget(retries), time.monotonic, SystemRandom().random)
    return Calls(address, manner, timeout, room)


class Calls:
    """The calls of one client; `timeout` is what a call may take in all, in seconds, if it does not say."""

    def __init__(self, address: Address, manner: Manner, timeout: float, room: Room) -> None:
        self._address = address
        self._manner = manner
        self._timeout = timeout
        self._room = room
        self._product = address.product

    def predict(
        self,
        rows: Rows,
        idempotency_key: str | None = None,
        *,
        partial: bool = False,
        deadline: float | None = None,
        traceparent: str | None = None,
    ) -> Steps[Predictions]:
        """The predictions of all rows; each part of a large call is a request with a key of its own."""
        ends_at = self._ends_at(deadline)
        key = _checked_key(idempotency_key) or uuid4().hex
        traced = trace_headers(traceparent)
        path = yield from self._path("/predict", ends_at)
        answers = []
        for part in parts_of(rows, self._room):
            own = {"idempotency-key": f"{key}.{part.first}" if part.first else key}
            asked = _predict(path, part, {**self._headers(), **traced, **own}, partial)
            try:
                reply = yield from exchange(asked, self._manner, ends_at)
            except RequestInvalid as error:
                raise _moved(error, part.first) from error
            answered = _predictions(reply, part, self._product or "", partial)
            if part.content_type == ARROW and len(answered) < part.rows:
                answered = yield from self._with_faults(asked, part, answered, path, ends_at)
            answers.append(_counted(answered, part.first))
        return _joined(answers)

    def _with_faults(
        self, asked: Asked, part: Part, answered: Predictions, path: str, ends_at: float
    ) -> Steps[Predictions]:
        """The answer with the faults of the rows that it lacks: an Arrow stream has no room for them.

        The rows that were left out are sent once more, by themselves and without `partial`, so that all are refused
        and told; nothing is recorded by that.
        """
        from seatrial.client.tables import rows_of

        given = {one.row for one in answered}
        lacking = [row for row in range(part.rows) if row not in given]
        headers = {name: value for name, value in asked.headers.items() if name != "idempotency-key"}
        again = Asked("POST", path, headers, rows_of(part.body, lacking))
        try:
            yield from exchange(again, self._manner, ends_at)
        except RequestInvalid as error:
            faults = tuple(_told(fault, lacking) for fault in error.faults)
            return msgspec.structs.replace(answered, faults=faults)
        raise ServerFailed("the server left rows out of its answer, and took them the second time")

    def report(self, what: str, rows: Rows, *, deadline: float | None = None) -> Steps[Receipt]:
        """The receipt of `outcomes` or `actions`; the parts of a large report are recorded one after another."""
        ends_at = self._ends_at(deadline)
        path = yield from self._path(f"/{what}", ends_at)
        receipts = []
        for part in parts_of(objects_of(rows), self._room):
            body = b'{"%b":%b}' % (what.encode(), part.body)
            asked = Asked("POST", path, {**self._headers(), "content-type": JSON}, body)
            reply = yield from exchange(asked, self._manner, ends_at)
            receipts.append((part.first, _decoded(reply, Receipt)))
        return Receipt(
            sum(receipt.accepted for _, receipt in receipts),
            tuple(fault for first, receipt in receipts for fault in _shifted(receipt.refused, first)),
        )

    def product(self) -> Steps[ProductInfo]:
        """What the server says of the product."""
        ends_at = self._ends_at(None)
        path = yield from self._path("", ends_at)
        reply = yield from exchange(Asked("GET", path, self._headers()), self._manner, ends_at)
        return _decoded(reply, ProductInfo)

    def ready(self) -> Steps[Readiness]:
        """Whether the server is ready; the answer 503 says that it is not."""
        return (yield from self._readiness(self._ends_at(None)))

    def _readiness(self, ends_at: float) -> Steps[Readiness]:
        asked = Asked("GET", "/readyz", self._headers(), taken=frozenset({503}))
        reply = yield from exchange(asked, self._manner, ends_at)
        return _decoded(reply, Readiness)

    def _path(self, door: str, ends_at: float) -> Steps[str]:
        if self._product is None:
            self._product = _only((yield from self._readiness(ends_at)))
        return f"/v1/products/{quote(self._product, safe='')}{door}"

    def _headers(self) -> dict[str, str]:
        return self._address.headers()

    def _ends_at(self, deadline: float | None) -> float:
        return self._manner.clock() + (self._timeout if deadline is None else deadline)


def _predict(path: str, part: Part, headers: dict[str, str], partial: bool) -> Asked:
    if part.content_type == ARROW:
        headers = {**headers, "content-type": ARROW, "accept": ARROW}
        return Asked("POST", f"{path}?partial=true" if partial else path, headers, part.body)
    body = b'{"rows":%b,"partial":%b}' % (part.body, b"true" if partial else b"false")
    return Asked("POST", path, {**headers, "content-type": JSON}, body)


def _predictions(reply: Reply, part: Part, product: str, partial: bool) -> Predictions:
    """The answers to a part. Raises ServerFailed when they lack rows that were not allowed to be left out."""
    answered = _read(reply, product)
    if not partial and len(answered) != part.rows:
        raise ServerFailed(f"the server answered {len(answered)} of {part.rows} rows")
    return answered


def _counted(answered: Predictions, first: int) -> Predictions:
    """The answers with rows counted from the beginning of the whole call."""
    if not first:
        return answered
    moved = tuple(msgspec.structs.replace(one, row=one.row + first) for one in answered)
    return msgspec.structs.replace(answered, predictions=moved, faults=_shifted(answered.faults, first))


def _told(fault: Mapping[str, Any], lacking: Sequence[int]) -> Fault:
    """A fault of the rows that were sent once more, by its row in the part."""
    row = fault["row"]
    place = lacking[row] if isinstance(row, int) and row < len(lacking) else lacking[0]
    return Fault(place, str(fault["field"]), str(fault["expected"]), str(fault["received"]))


def _read(reply: Reply, product: str) -> Predictions:
    if not reply.headers.get("content-type", "").startswith(ARROW):
        return _decoded(reply, Predictions)
    from seatrial.client.tables import predictions_in

    rows = tuple(predictions_in(reply.body))
    live = next((one.release for one in rows if one.variant == "live"), rows[0].release if rows else "")
    return Predictions(product, live, rows)


def _joined(answers: Sequence[Predictions]) -> Predictions:
    if len(answers) == 1:
        return answers[0]
    return Predictions(
        answers[-1].product,
        answers[-1].release,
        tuple(one for answer in answers for one in answer.predictions),
        tuple(fault for answer in answers for fault in answer.faults),
    )


def _decoded(reply: Reply, kind: type[AnswerT]) -> AnswerT:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerFailed(f"the server answered {reply.status} with what cannot be read: {error}") from error


def _only(state: Readiness) -> str:
    if len(state.products) == 1:
        return next(iter(state.products))
    served = ", ".join(sorted(state.products)) or "none"
    raise NotFound(f"expected a server of one product, or a product by name; served: {served}")


def _checked_key(key: str | None) -> str | None:
    if key is None or (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        return key
    fault: dict[str, Any] = {"row": 0, "field": "idempotency_key", "received": f"{len(key)} characters"}
    fault["expected"] = f"1 to {_LONGEST_KEY} printable ASCII characters"
    raise RequestInvalid([fault])


def _shifted(faults: Sequence[Fault], first: int) -> tuple[Fault, ...]:
    return tuple(msgspec.structs.replace(fault, row=fault.row + first) for fault in faults)


def _moved(error: RequestInvalid, first: int) -> RequestInvalid:
    """The error with rows counted from the beginning of the whole call."""
    if not first:
        return error
    rows = [fault["row"] for fault in error.faults]
    faults = [
        {**fault, "row": row + first} if isinstance(row, int) else fault
        for fault, row in zip(error.faults, rows, strict=True)
    ]
    return RequestInvalid(faults)

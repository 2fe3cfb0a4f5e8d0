"""The blocking client."""

import ssl
import time
from types import TracebackType
from typing import Self, TypeVar, cast

import httpx

from seatrial.client.address import address
from seatrial.client.answers import Prediction, Predictions, ProductInfo, Readiness, Receipt
from seatrial.client.calls import calls_of
from seatrial.client.parts import ROOM, Room, Row, Rows
from seatrial.client.retries import RETRIES, Retries
from seatrial.client.steps import Broke, Reply, Send, Steps, Wait
from seatrial.client.transport import transport, until

AnswerT = TypeVar("AnswerT")


class Client:
    """Asks a Seatrial server for predictions, and reports outcomes and actions.

    One client may be used by several threads, and keeps its connections between calls. Close it, or use it in
    `with`. Proxies named in the environment are not used.
    """

    def __init__(
        self,
        url: str,
        product: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        retries: Retries = RETRIES,
        room: Room = ROOM,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`product` may be left out where the server has only one; `token` is by default that of SEATRIAL_TOKEN.

        `timeout` is what a call may take in all, with its repetitions, in seconds; `room` is what the server takes
        in one request. Raises SettingsInvalid.
        """
        self._address = address(url, product, token)
        self._calls = calls_of(self._address, timeout, retries, room)
        self._http = httpx.Client(base_url=self._address.url, transport=transport(tls), trust_env=False)

    def predict(
        self,
        rows: Rows,
        *,
        idempotency_key: str | None = None,
        partial: bool = False,
        deadline: float | None = None,
        traceparent: str | None = None,
    ) -> Predictions:
        """The predictions of a mapping, of a list of mappings, or of a table (Polars, pandas, or Arrow of any kind).

        Tables go as Arrow streams; many rows go in several requests, each answered and recorded by itself. With
        `partial` faulty rows are left out of the answer and named in its faults. `deadline` is in seconds, for the
        whole call. A call with the `idempotency_key` of an earlier one gets the earlier predictions; without one
        each call has its own, so that its repetitions are recorded once.

        Raises RequestInvalid with every faulty row and field, Unauthorized, NotFound, QuotaExceeded, Overloaded,
        NotReady, JournalUnavailable, DeadlineExceeded or ServerFailed.
        """
        return self._run(
            self._calls.predict(
                rows, idempotency_key, partial=partial, deadline=deadline, traceparent=traceparent
            )
        )

    def predict_one(
        self,
        row: Row,
        *,
        idempotency_key: str | None = None,
        deadline: float | None = None,
        traceparent: str | None = None,
    ) -> Prediction:
        """The prediction of one row. Raises what `predict` raises."""
        return self.predict(
            row, idempotency_key=idempotency_key, deadline=deadline, traceparent=traceparent
        ).predictions[0]

    def report_outcomes(self, rows: Rows, *, deadline: float | None = None) -> Receipt:
        """How many outcomes were recorded, and the faults of the refused ones.

        A row names its prediction (`prediction_id`, or `key`) and has the outcome columns of the contract; it may
        have `known_at` and `revision`. Raises what `predict` raises, but nothing for faulty rows.
        """
        return self._run(self._calls.report("outcomes", rows, deadline=deadline))

    def report_actions(self, rows: Rows, *, deadline: float | None = None) -> Receipt:
        """How many actions were recorded, and the faults of the refused ones.

        A row names its prediction (`prediction_id`, or `key`) and says in `done` whether the action was taken; it
        may have `by`, `at` and `revision`. Raises what `predict` raises, but nothing for faulty rows.
        """
        return self._run(self._calls.report("actions", rows, deadline=deadline))

    def product(self) -> ProductInfo:
        """What the server says of the product: purpose, live release, columns of a row. Raises NotReady, NotFound."""
        return self._run(self._calls.product())

    def ready(self) -> Readiness:
        """Whether the server is ready, and the state of each product. Raises ServerFailed when none answers."""
        return self._run(self._calls.ready())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._address!r})"

    def _run(self, steps: Steps[AnswerT]) -> AnswerT:
        got: Reply | Broke | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                return cast(AnswerT, done.value)
            got = self._done(step)

    def _done(self, step: Send | Wait) -> Reply | Broke | None:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        left = max(step.ends_at - time.monotonic(), 0.001)
        try:
            with until(step.ends_at):
                answer = self._http.request(
                    step.method, step.path, headers=step.headers, content=step.body, timeout=left
                )
        except httpx.RequestError as error:
            return Broke(error, late=isinstance(error, httpx.TimeoutException))
        return Reply(answer.status_code, answer.headers, answer.content)

"""The asynchronous client."""

import asyncio
import ssl
import time
from types import TracebackType
from typing import Self, TypeVar, cast

import httpx

from seatrial.client.address import address
from seatrial.client.answers import Prediction, Predictions, ProductInfo, Readiness, Receipt
from seatrial.client.batched import Batched
from seatrial.client.calls import calls_of
from seatrial.client.connections import Connections
from seatrial.client.parts import ROOM, Room, Row, Rows
from seatrial.client.retries import RETRIES, Retries
from seatrial.client.steps import Broke, Reply, Send, Steps, Wait

AnswerT = TypeVar("AnswerT")


class AsyncClient:
    """`seatrial.Client` for asyncio: the same calls to await, and `batched` for many rows that come one by one."""

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
        """As for `seatrial.Client`. Raises SettingsInvalid."""
        self._address = address(url, product, token)
        self._timeout = timeout
        self._calls = calls_of(self._address, timeout, retries, room)
        self._connections = Connections(self._address.url, tls)

    async def predict(
        self,
        rows: Rows,
        *,
        idempotency_key: str | None = None,
        partial: bool = False,
        deadline: float | None = None,
        traceparent: str | None = None,
    ) -> Predictions:
        """The predictions of the rows: see `Client.predict`."""
        return await self._run(
            self._calls.predict(
                rows, idempotency_key, partial=partial, deadline=deadline, traceparent=traceparent
            )
        )

    async def predict_one(
        self,
        row: Row,
        *,
        idempotency_key: str | None = None,
        deadline: float | None = None,
        traceparent: str | None = None,
    ) -> Prediction:
        """The prediction of one row. Raises what `Client.predict` raises."""
        answered = await self.predict(
            row, idempotency_key=idempotency_key, deadline=deadline, traceparent=traceparent
        )
        return answered.predictions[0]

    def batched(self, max_rows: int = 256, *, linger: float = 0.0) -> Batched:
        """A way to predict single rows from many tasks: what waits while a request is under way goes out together.

        `linger` is how many seconds a first row waits for others; 0 adds no wait.
        """
        return Batched(self.predict, max_rows, linger=linger, timeout=self._timeout)

    async def report_outcomes(self, rows: Rows, *, deadline: float | None = None) -> Receipt:
        """How many outcomes were recorded: see `Client.report_outcomes`."""
        return await self._run(self._calls.report("outcomes", rows, deadline=deadline))

    async def report_actions(self, rows: Rows, *, deadline: float | None = None) -> Receipt:
        """How many actions were recorded: see `Client.report_actions`."""
        return await self._run(self._calls.report("actions", rows, deadline=deadline))

    async def product(self) -> ProductInfo:
        """What the server says of the product. Raises NotReady, NotFound."""
        return await self._run(self._calls.product())

    async def ready(self) -> Readiness:
        """Whether the server is ready. Raises ServerFailed when none answers."""
        return await self._run(self._calls.ready())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncClient({self._address!r})"

    async def _run(self, steps: Steps[AnswerT]) -> AnswerT:
        got: Reply | Broke | None = None
        while True:
            try:
                step = steps.send(got)
            except StopIteration as done:
                return cast(AnswerT, done.value)
            got = await self._done(step)

    async def _done(self, step: Send | Wait) -> Reply | Broke | None:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        left = max(step.ends_at - time.monotonic(), 0.001)
        try:
            # httpx's own timeouts begin anew with every read: this one is for the whole exchange.
            async with asyncio.timeout(left), self._connections.one() as http:
                answer = await http.request(
                    step.method, step.path, headers=step.headers, content=step.body, timeout=left
                )
        except (httpx.RequestError, TimeoutError) as error:
            return Broke(error, late=isinstance(error, httpx.TimeoutException | TimeoutError))
        return Reply(answer.status_code, answer.headers, answer.content)

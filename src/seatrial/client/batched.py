"""Single rows from many tasks, sent together."""

import asyncio
import copy
import time
from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec

from seatrial.client.answers import Fault, Prediction, Predictions
from seatrial.client.parts import Row, encoded
from seatrial.errors import DeadlineExceeded, RequestInvalid, SeatrialError, ServerFailed


class Predict(Protocol):
    """The call that answers many rows."""

    def __call__(
        self, rows: list[Row], /, *, partial: bool, deadline: float | None
    ) -> Awaitable[Predictions]:
        """The predictions of the good rows, and the faults of the others."""
        ...


class _Waiting:
    """A row and the task that waits for its answer."""

    __slots__ = ("answer", "ends_at", "row")

    def __init__(self, row: Row, ends_at: float) -> None:
        self.row, self.ends_at = row, ends_at
        self.answer: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()


class Batched:
    """Answers single rows; those that wait while a request is under way go out in the next one, together.

    A faulty row fails alone: the others of its request are answered.
    """

    def __init__(self, predict: Predict, max_rows: int, *, linger: float, timeout: float) -> None:
        """`timeout` is what a row may wait in all, in seconds, if it does not say."""
        self._predict = predict
        self._max_rows = max_rows
        self._linger = linger
        self._timeout = timeout
        self._waiting: list[_Waiting] = []
        self._sender: asyncio.Task[None] | None = None

    async def predict_one(self, row: Row, *, deadline: float | None = None) -> Prediction:
        """The prediction of one row, within `deadline` seconds. Raises what `Client.predict` raises."""
        encoded(row, 0)  # a row that cannot be sent is refused before it joins others
        seconds = self._timeout if deadline is None else deadline
        one = _Waiting(row, time.monotonic() + seconds)
        self._waiting.append(one)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all())
        try:
            async with asyncio.timeout(seconds):
                return await one.answer
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within {seconds:g} s") from error

    async def _send_all(self) -> None:
        while self._waiting:
            # Even without a linger, the tasks that are ready to run now get to add their rows.
            await asyncio.sleep(self._linger)
            waiting, self._waiting = self._waiting, []
            wanted = [one for one in waiting if not one.answer.done()]
            self._waiting = wanted[self._max_rows :]
            if wanted:
                await self._send(wanted[: self._max_rows])

    async def _send(self, batch: Sequence[_Waiting]) -> None:
        left = max(one.ends_at for one in batch) - time.monotonic()
        try:
            answers = await self._predict([one.row for one in batch], partial=True, deadline=left)
        except SeatrialError as error:
            for one in batch:
                _fail(one, _own(error))
            return
        except BaseException:
            for one in batch:
                one.answer.cancel()
            raise
        _hand_out(answers, batch)


def _hand_out(answers: Predictions, batch: Sequence[_Waiting]) -> None:
    faults: dict[int, list[Fault]] = {}
    for fault in answers.faults:
        faults.setdefault(fault.row, []).append(fault)
    for number, found in faults.items():
        if number < len(batch):
            own = [msgspec.structs.replace(fault, row=0) for fault in found]
            _fail(batch[number], RequestInvalid([msgspec.structs.asdict(fault) for fault in own]))
    for prediction in answers:
        if prediction.row < len(batch) and not batch[prediction.row].answer.done():
            batch[prediction.row].answer.set_result(msgspec.structs.replace(prediction, row=0))
    for one in batch:
        _fail(one, ServerFailed("the server left this row out of its answer"))


def _own(error: SeatrialError) -> SeatrialError:
    """A copy: one error raised in many tasks would collect all their tracebacks."""
    own = copy.copy(error)
    own.__cause__ = error
    return own


def _fail(one: _Waiting, error: SeatrialError) -> None:
    if not one.answer.done():
        one.answer.set_exception(error)

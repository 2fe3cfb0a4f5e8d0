"""Doors without a server: a serving that records what it is asked, and calls that need no socket."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec

from seatrial.contract.model import ColumnContract
from seatrial.errors import NotReady, RequestInvalid, SeatrialError
from seatrial.facts.prediction import Variant
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.request import Answered, Answers, Request
from seatrial.serve.serving import Serving
from seatrial.web.scoring.call import Call, Door, Reply
from seatrial.web.scoring.refusals import Refusal
from seatrial.web.scoring.statuses import status_of
from tests.hotel import START, hotel_product, loaded


class AskedServing:
    """Decides by price, as the contract's decoder reads it; keeps every request and its deadline."""

    def __init__(
        self, *more: ColumnContract, product: str = "hotel", live: LoadedRelease | None = None
    ) -> None:
        self.product = product
        self.ready = True
        self.requests: list[Request] = []
        self.deadlines: list[float | None] = []
        self._live: LoadedRelease | None = live or loaded(product=hotel_product(*more))

    @property
    def live(self) -> LoadedRelease:
        if self._live is None:
            raise NotReady(f"{self.product}: no release is live here")
        return self._live

    def down(self) -> None:
        self._live, self.ready = None, False

    def now(self) -> datetime:
        return START

    def elapsed(self) -> float:
        return 0.0

    async def predict(self, request: Request, deadline_seconds: float | None = None) -> Answers:
        self.requests.append(request)
        self.deadlines.append(deadline_seconds)
        good, faults = self.live.decoder.partial(request.rows)
        if faults and not request.partial:
            raise RequestInvalid(faults)
        return Answers(
            release=self.live.id,
            predictions=[self._answered(index, row) for index, row in good],
            faults=tuple(faults),
        )

    def _answered(self, index: int, row: dict[str, Any]) -> Answered:
        """A price of 666 breaks the model: the fallback answers, without a score."""
        price = row.get("price", 0.0)
        broken = price == 666
        return Answered(
            index,
            f"p{index}",
            str(row["booking"]),
            None if broken else price / 1000,
            price > 500,
            self.live.id,
            Variant.LIVE,
            "model_failed" if broken else None,
        )

    @property
    def rows(self) -> Sequence[Any]:
        """The rows of the last request, as the contract reads them."""
        return self.live.decoder.convert(self.requests[-1].rows)


def as_serving(*servings: AskedServing) -> dict[str, Serving]:
    """The servings by product, as doors take them."""
    return {one.product: cast("Serving", one) for one in servings}


class Everyone:
    """Lets everybody in, but to what `closed` names; counts the rows that were charged."""

    def __init__(self, *closed: str) -> None:
        self.closed, self.charged = closed, 0

    def check(self, call: Call, scope: str) -> None:
        if scope in self.closed:
            raise Refusal(401, "unauthorized", f"{call.path} needs a token for {scope}")

    def charge(self, call: Call, rows: int) -> tuple[tuple[str, str], ...]:
        del call
        self.charged += rows
        return (("ratelimit", "left"),)

    async def run(self) -> None:
        return None


def call(method: str, path: str, body: bytes = b"", **headers: str) -> Call:
    """A call; underscores in the names of headers are hyphens."""

    async def read() -> bytes:
        return body

    return Call(method, path, "", {name.replace("_", "-"): value for name, value in headers.items()}, read)


def reply(door: Door, asked: Call) -> Reply:
    """What the door answers, errors included."""
    try:
        return asyncio.run(_reply(door, asked))
    except Refusal as refusal:
        body: dict[str, object] = {
            "error": str(refusal),
            "code": refusal.code,
            "details": refusal.details,
            "request_id": "r",
        }
        return Reply(
            refusal.status, door.refused(asked, refusal.status, body), headers=tuple(refusal.headers)
        )
    except SeatrialError as error:
        details = error.faults if isinstance(error, RequestInvalid) else ()
        body = {"error": str(error), "code": error.code, "details": details, "request_id": "r"}
        status = status_of(error)
        return Reply(status, door.refused(asked, status, body))


async def _reply(door: Door, asked: Call) -> Reply:
    return await door.reply(asked)


def read(answer: Reply) -> Any:
    """The JSON of a reply."""
    return msgspec.json.decode(answer.body)


def fields(answer: Reply) -> list[tuple[Any, str]]:
    """Rows and fields of the faults."""
    return [(fault["row"], fault["field"]) for fault in read(answer)["details"]]

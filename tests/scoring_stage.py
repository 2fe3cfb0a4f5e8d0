"""The application with one product, called without a server, in a loop of its own."""

import asyncio
import json
from datetime import datetime
from typing import Any, Self

import msgspec

from seatrial.facts.release import Phase
from seatrial.ports.runtime import Scorer
from seatrial.serve.ports import RouteTable
from seatrial.serve.serving import Serving
from seatrial.web.scoring.app import ScoringApp
from seatrial.web.scoring.call import Call, Reply
from seatrial.web.scoring.tracing import Tracing
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import (
    PRODUCT_FILE,
    START,
    FunctionScorer,
    NamedRuntime,
    PriceScorer,
    SettableSource,
    hotel_product,
    raising,
    row,
    stored_release,
)
from tests.prometheus_text import Scrape, parsed

PREDICT = "/v1/products/hotel/predict"


class ScoringStage:
    """Use it in a `with`. `live` names the scorer: price, broken, or given; None: nothing is live."""

    def __init__(
        self,
        *,
        live: str | None = "price",
        canary: float = 0.0,
        file: str = PRODUCT_FILE,
        given: Scorer | None = None,
        **options: Any,
    ) -> None:
        self.artifacts, self.journal = MemoryArtifacts(), MemoryJournal()
        self.writer = self.journal.writer()
        product = hotel_product(file=file)
        release = None if live is None else stored_release(self.artifacts, scorer=live, product=product)
        self.source = SettableSource(release)
        if release is not None and canary:
            other = stored_release(self.artifacts, "r0002", product=product)
            tried = msgspec.structs.replace(other, phase=Phase.CANARY, share=canary)
            self.source.table = RouteTable(live=release, challenger=tried)
        runtime = NamedRuntime(broken=FunctionScorer(raising), given=given or PriceScorer())
        clock = MemoryClock(START)
        self.serving = Serving("hotel", self.source, self.artifacts, runtime, self.writer, clock)
        self.app = ScoringApp([self.serving], **options)
        self.runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self.runner.run(self.app.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self.app.stop())
        self.runner.close()

    @property
    def started(self) -> datetime:
        return START

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """The reply; underscores in the names of headers are hyphens."""
        return self.runner.run(self._asked(method, path, body, headers))

    def predict(self, *rows: object, **headers: str) -> Reply:
        return self.ask("POST", PREDICT, {"rows": rows or [row(1)]}, **headers)

    def together(self, *rows: object) -> list[Reply]:
        """One request for each row, all at once."""

        async def all_of_them() -> list[Reply]:
            return list(
                await asyncio.gather(*(self._asked("POST", PREDICT, {"rows": [one]}, {}) for one in rows))
            )

        return self.runner.run(all_of_them())

    def scraped(self) -> Scrape:
        reply = self.ask("GET", "/metrics")
        assert dict(reply.headers)["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parsed(reply.body.decode())

    async def _asked(self, method: str, path: str, body: object, headers: dict[str, str]) -> Reply:
        content = b"" if body is None else json.dumps(body).encode()
        given = {"host": "127.0.0.1:8400", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}

        async def read() -> bytes:
            await asyncio.sleep(0)  # as from a network: others come meanwhile
            return content

        call, tracing = Call(method, path, "", given, read), self.tracing
        return await (
            self.app.answer(call) if tracing is None else tracing.answer(self.app.answer, call, "http", "1.1")
        )

    @property
    def tracing(self) -> Tracing | None:
        return self.app.tracing

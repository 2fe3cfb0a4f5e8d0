"""One product's data plane in one process: engine, queue, intake, and the eye on its releases."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from seatrial.errors import NotReady, SeatrialError
from seatrial.facts.release import Release
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.ports.runtime import Runtime
from seatrial.serve.counters import Counters
from seatrial.serve.engine import Engine, Result
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.loading import Published, load_release, open_lookups, parts_of
from seatrial.serve.lookups import LookupIndexes
from seatrial.serve.outcomes import OutcomeIntake
from seatrial.serve.ports import LookupStore, RouteSource, RouteTable
from seatrial.serve.queue import RequestQueue
from seatrial.serve.request import Answers, OutcomeReceipt, Request
from seatrial.serve.routing import Routes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How much may wait, how much runs at once, and how often releases and the journal are looked after."""

    capacity_rows: int = 4096
    batch_rows: int = 256
    refresh_seconds: float = 2.0
    tick_seconds: float = 1.0


class Serving:
    """Serves one product. `start` and `stop` belong to the event loop that calls the rest.

    The releases come from `source`; `lookups` keeps their lookup tables, by default in memory; `tick` is the
    journal's housekeeping, if it has any.
    """

    def __init__(
        self,
        product: str,
        source: RouteSource,
        artifacts: Artifacts,
        runtime: Runtime,
        journal: JournalWriter,
        clock: Clock,
        *,
        lookups: LookupStore | None = None,
        tick: Callable[[], None] | None = None,
        limits: Limits = Limits(),
    ) -> None:
        self.product = product
        self.counters = Counters()
        self.engine = Engine(None, journal, clock, counters=self.counters)
        self._source = source
        self._lookups = lookups or LookupIndexes(artifacts)
        self._load = partial(load_release, artifacts=artifacts, runtime=runtime, store=self._lookups)
        self._journal = journal
        self._clock = clock
        self._tick = tick
        self._limits = limits
        # One thread for engine and intake: a batch forms while the one before runs.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="seatrial-engine")
        self._queue = RequestQueue(
            self._run,
            self._executor,
            self.counters,
            capacity_rows=limits.capacity_rows,
            batch_rows=limits.batch_rows,
        )
        self._intake: OutcomeIntake | None = None
        self._chores: list[asyncio.Task[None]] = []
        self._draining = False
        self.routed: RouteTable | None = None  # as the source told last
        self._broken: set[str] = set()  # challengers that will never load; asking again would only cost time

    @property
    def ready(self) -> bool:
        """Whether a release is loaded and warm, and the server is not going down."""
        return self.engine.routes is not None and not self._draining

    @property
    def live(self) -> LoadedRelease:
        """The release that is live. Raises NotReady when none is."""
        routes = self.engine.routes
        if routes is None:
            raise NotReady(f"{self.product}: no release is live here; `seatrial launch` makes one")
        return routes.live

    @property
    def queue_depth(self) -> int:
        """Rows that wait."""
        return self._queue.depth

    def now(self) -> datetime:
        """The present moment."""
        return self._clock.now()

    def refresh(self) -> bool:
        """Loads and swaps to the releases that the source names; True when something changed. May block.

        A challenger that does not load is left out, so that the live release is never held up by it. Raises
        what the source raises, and what loading the live release raises; the present routes then stay.
        """
        table = self._source.current()
        present = self.engine.routes
        self.routed = table
        if table is None:
            self.engine.routes, self._intake = None, None
            return present is not None
        live = self._loaded(table.live, table.lookups)
        tried = table.challenger
        challenger = None if tried is None else self._challenger(tried, table.lookups)
        if present is not None and live is present.live and challenger is present.challenger:
            return False
        if present is None or live.product.texts != present.live.product.texts:
            self._intake = OutcomeIntake(live.product, self._journal, self._clock)
        self.engine.routes = Routes.of(live, challenger)
        self._lookups.keep([table for one in self.engine.routes.releases for table in one.lookups.values()])
        return True

    async def start(self) -> None:
        """Load what is live and begin the chores; until something has loaded, the server is not ready."""
        await self._refresh_once()
        self._chores = [asyncio.create_task(self._every(self._limits.refresh_seconds, self._refresh_once))]
        if self._tick is not None:
            self._chores.append(asyncio.create_task(self._every(self._limits.tick_seconds, self._tick_once)))

    def drain(self) -> None:
        """Say that the server is going down, and still answer."""
        self._draining = True

    async def stop(self) -> None:
        """Answer all that waits, then end the chores and close the journal."""
        self.drain()
        await self._queue.close()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await asyncio.to_thread(self._executor.shutdown)
        self.engine.close()
        self._journal.close()

    async def predict(self, request: Request, deadline_seconds: float | None = None) -> Answers:
        """The answers to a request. A caller may shorten the product's deadline, not stretch it."""
        own = self.live.product.file.serve.deadline
        deadline = own if deadline_seconds is None else min(own, deadline_seconds)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self._queue.submit(request, deadline)
        finally:
            self.counters.request_seconds.observe(loop.time() - began)

    async def accept(self, rows: Sequence[object]) -> OutcomeReceipt:
        """What became of reported outcomes. Raises NotReady when nothing is live to check them against."""
        if self._intake is None:
            raise NotReady(f"{self.product}: no release is live here; outcomes cannot be checked yet")
        loop = asyncio.get_running_loop()
        receipt = await loop.run_in_executor(self._executor, self._intake.accept, rows)
        self.counters.outcomes["accepted"] += receipt.accepted
        self.counters.outcomes["refused"] += len({str(fault["row"]) for fault in receipt.refused})
        return receipt

    def _run(self, requests: Sequence[Request]) -> Sequence[Result]:
        # Half of the deadline is the model's: those who queue behind a model that hangs still get their fallback.
        routes = self.engine.routes
        budget = None if routes is None else routes.live.product.file.serve.deadline / 2
        return self.engine.predict_many(requests, budget_seconds=budget)

    def _loaded(self, release: Release, published: Published) -> LoadedRelease:
        """The release, taken over from the present routes as far as it is the same."""
        routes = self.engine.routes
        for loaded in () if routes is None else routes.releases:
            if loaded.id == release.id and loaded.release.bundle == release.bundle:
                same = loaded if loaded.release == release else loaded.turned(release)
                return self._up_to_date(same, published)
        return self._load(release, published=published)

    def _up_to_date(self, loaded: LoadedRelease, published: Published) -> LoadedRelease:
        """The same release with the newest lookups; its model stays loaded."""
        parts = parts_of(published)
        if loaded.published == parts:
            return loaded
        tables = open_lookups(loaded.release, loaded.product, published, self._lookups)
        return loaded.looking_up(tables, parts)

    def _challenger(self, release: Release, published: Published) -> LoadedRelease | None:
        if release.id in self._broken:
            return None
        try:
            return self._loaded(release, published)
        except SeatrialError as error:
            if not error.retryable:
                self._broken.add(release.id)
            self.counters.refreshes["challenger_failed"] += 1
            _log.exception("%s: challenger %s does not load; it is left out", self.product, release.id)
            return None

    async def _refresh_once(self) -> None:
        try:
            changed = await asyncio.to_thread(self.refresh)
            self.counters.refreshes["changed" if changed else "unchanged"] += 1
        except Exception:  # noqa: BLE001 - a source that fails must not end the timer; counted and logged
            self.counters.refreshes["failed"] += 1
            _log.exception("%s: the releases could not be refreshed; the present ones stay", self.product)

    async def _tick_once(self) -> None:
        assert self._tick is not None
        try:
            await asyncio.to_thread(self._tick)
        except SeatrialError:
            _log.exception("%s: the journal could not be looked after", self.product)

    async def _every(self, seconds: float, chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await chore()

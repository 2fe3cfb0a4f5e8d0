"""One product's data plane in one process: engine, queue, intake, and the eye on its releases."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from seatrial.errors import NotReady, SeatrialError
from seatrial.facts.release import Release
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.ports.runtime import Runtime
from seatrial.product.schema import JournalSection
from seatrial.serve.actions import ActionIntake
from seatrial.serve.beside import InThread
from seatrial.serve.counters import Counters
from seatrial.serve.engine import Engine, Result
from seatrial.serve.journal_watch import WatchedJournal
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.loading import Published, load_release, open_lookups, parts_of
from seatrial.serve.lookups import LookupIndexes
from seatrial.serve.observer import Observer
from seatrial.serve.outcomes import OutcomeIntake
from seatrial.serve.ports import LookupStore, RouteSource, RouteTable
from seatrial.serve.queue import RequestQueue
from seatrial.serve.request import Answers, Receipt, Request
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
    journal's housekeeping, if it has any, and `keep` is told how the live product wants its answers kept.
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
        keep: Callable[[JournalSection], None] | None = None,
        limits: Limits = Limits(),
    ) -> None:
        self.product = product
        self.counters = Counters()
        self.observer: Observer | None = None
        self.in_flight = 0  # requests that wait or are worked on
        self.present = 0  # requests of which a door has begun to read
        self.loaded_at: dict[str, datetime] = {}  # when each present release was loaded
        self._journal = journal = WatchedJournal(journal, self.counters, time.monotonic)
        self.engine = Engine(
            None,
            journal,
            clock,
            counters=self.counters,
            beside=InThread(self.counters),
            elapsed=time.monotonic,
            ejects=True,
        )
        self._source = source
        self._lookups = lookups or LookupIndexes(artifacts)
        self._artifacts, self._runtime = artifacts, runtime
        self._clock = clock
        self._tick = tick
        self._keep = keep
        self._limits = limits
        # One thread for engine and intake: a batch forms while the one before runs.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="seatrial-engine")
        self._queue = RequestQueue(
            self._run,
            self._executor,
            self.counters,
            capacity_rows=limits.capacity_rows,
            batch_rows=limits.batch_rows,
            bounded=self._is_bounded,
        )
        self._outcomes: OutcomeIntake | None = None
        self._actions: ActionIntake | None = None
        self._chores: list[asyncio.Task[None]] = []
        self._draining = False
        self._looking: asyncio.Future[bool] | None = None
        self._trouble: str | None = None  # why what is live could not be loaded, when it was last tried
        self.routed: RouteTable | None = None  # as the source told last
        self._broken: set[str] = set()  # challengers that will never load; asking again would only cost time

    @property
    def ready(self) -> bool:
        """Whether requests should come here."""
        return self.hindrance is None

    @property
    def hindrance(self) -> str | None:
        """Why requests should go elsewhere, in words; None when nothing speaks against this server."""
        routes = self.engine.routes
        if self._draining:
            return "the server is going down"
        if routes is None:
            return self._trouble or "no release is live here"
        if self.journal_failing and routes.live.product.file.serve.journal.unavailable == "refuse":
            return "the journal cannot be written"
        return None

    @property
    def journal_failing(self) -> bool:
        """Whether the last record could not be written, and that a short time ago."""
        return self._journal.failing

    @property
    def live(self) -> LoadedRelease:
        """The release that is live. Raises NotReady when none is."""
        routes = self.engine.routes
        if routes is None:
            why = self._trouble or "no release is live here; `seatrial launch` makes one"
            raise NotReady(f"{self.product}: {why}")
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
            self.engine.routes, self._outcomes, self._actions = None, None, None
            return present is not None
        live = self._loaded(table.live, table.lookups)
        tried = table.challenger
        challenger = None if tried is None else self._challenger(tried, table.lookups)
        if present is not None and live is present.live and challenger is present.challenger:
            return False
        if present is None or live.product.texts != present.live.product.texts:
            if self._keep is not None:
                self._keep(live.product.file.serve.journal)
            self._outcomes = OutcomeIntake(live.product, self._journal, self._clock)
            self._actions = ActionIntake(live.product, self._journal, self._clock)
        self.engine.routes = Routes.of(live, challenger)
        now, before = self.now(), self.loaded_at
        self.loaded_at = {one.id: before.get(one.id, now) for one in self.engine.routes.releases}
        self._lookups.keep([table for one in self.engine.routes.releases for table in one.lookups.values()])
        return True

    async def start(self) -> None:
        """Load what is live and begin the chores; until something has loaded, the server is not ready."""
        await self.look()
        refreshing = self._every(lambda: self._limits.refresh_seconds, self.look)
        self._chores = [asyncio.create_task(refreshing)]
        if self._tick is not None:
            self._chores.append(asyncio.create_task(self._every(self._tick_seconds, self._tick_once)))

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
        if self._looking is not None:  # its thread goes on: what it loads must be closed, too
            await asyncio.wait([self._looking])
            self.engine.look_round()
        await asyncio.to_thread(self._executor.shutdown)
        self.engine.close()
        self._journal.close()

    async def look(self) -> None:
        """Look what is live now, and swap to it; what goes wrong is counted and logged, and the present stays."""
        try:
            self._looking = asyncio.ensure_future(asyncio.to_thread(self.refresh))
            changed = await asyncio.shield(self._looking)
            if self._queue.is_idle:
                self.engine.look_round()
            self.counters.refreshes["changed" if changed else "unchanged"] += 1
            self._trouble = None
        except Exception as error:  # noqa: BLE001 - a source that fails must not end the timer; counted and logged
            self.counters.refreshes["failed"] += 1
            self._tell_trouble(error)

    def _tell_trouble(self, error: Exception) -> None:
        """Log why the releases could not be refreshed, once for each reason, and keep it for whoever asks."""
        foreseen = isinstance(error, SeatrialError)
        named = (
            f"release {self.routed.live.id} cannot be loaded"
            if self.routed
            else "what is live cannot be read"
        )
        trouble = f"{named}: {error if foreseen else type(error).__name__}"
        if trouble != self._trouble:
            cause = None if foreseen else error
            _log.error("%s: %s; what was loaded before stays", self.product, trouble, exc_info=cause)
        self._trouble = trouble

    async def predict(self, request: Request, deadline_seconds: float | None = None) -> Answers:
        """The answers to a request. A caller may shorten the product's deadline, not stretch it."""
        own = self.live.product.file.serve.deadline
        deadline = own if deadline_seconds is None else min(own, deadline_seconds)
        began, answers = self.elapsed(), None
        self.in_flight += 1
        if self.observer is not None:
            self.observer.asked(self.product, request, began)
        try:
            answers = await self._queue.submit(request, deadline, alone=self.present <= 1)
            return answers
        finally:
            self.in_flight -= 1
            self.counters.request_seconds.observe(self.elapsed() - began)
            if self.observer is not None:
                routes = self.engine.routes
                self.observer.told(request, answers, randomised=routes is not None and routes.randomises)

    def elapsed(self) -> float:
        """Seconds of a clock that never jumps, as `Request.arrived` has them."""
        return time.monotonic()

    async def accept_outcomes(self, rows: Sequence[object]) -> Receipt:
        """What became of reported outcomes. Raises NotReady when nothing is live to check them against."""
        return await self._accept(self._outcomes, rows, self.counters.outcomes)

    async def accept_actions(self, rows: Sequence[object]) -> Receipt:
        """What became of reported actions. Raises NotReady when nothing is live to check them against."""
        return await self._accept(self._actions, rows, self.counters.actions)

    async def _accept(
        self, intake: OutcomeIntake | ActionIntake | None, rows: Sequence[object], counted: Counter[str]
    ) -> Receipt:
        if intake is None:
            raise NotReady(f"{self.product}: no release is live here; nothing can be checked yet")
        receipt = await asyncio.get_running_loop().run_in_executor(self._executor, intake.accept, rows)
        counted["accepted"] += receipt.accepted
        counted["refused"] += len({str(fault["row"]) for fault in receipt.refused})
        return receipt

    def _run(self, requests: Sequence[Request], holds_up: bool) -> Sequence[Result]:
        # Half of the deadline is the model's: those who queue behind a model that hangs still get their fallback.
        # Where the event loop waits, no second thread could take over: only models that are over in time run there.
        routes = self.engine.routes
        free = holds_up or routes is None or routes.bounded
        budget = None if free or routes is None else routes.live.product.file.serve.deadline / 2
        if self.observer is None:
            return self.engine.predict_many(requests, budget_seconds=budget)
        began = self.elapsed()
        results = self.engine.predict_many(requests, budget_seconds=budget)
        self.observer.ran(requests, began, self.elapsed())
        return results

    def _is_bounded(self) -> bool:
        """Whether all models answer in bounded time."""
        routes = self.engine.routes
        return routes is None or routes.bounded

    def _loaded(self, release: Release, published: Published) -> LoadedRelease:
        """The release, taken over from the present routes as far as it is the same."""
        routes = self.engine.routes
        for loaded in () if routes is None else routes.releases:
            if loaded.id == release.id and loaded.release.bundle == release.bundle:
                same = loaded if loaded.release == release else loaded.turned(release)
                return self._up_to_date(same, published)
        return load_release(
            release,
            self._artifacts,
            self._runtime,
            published=published,
            store=self._lookups,
            recorded=self.engine.recorded,
        )

    def _up_to_date(self, loaded: LoadedRelease, published: Published) -> LoadedRelease:
        """The same release with the newest lookups; its model stays loaded."""
        parts = parts_of(published)
        if loaded.published == parts:
            return loaded
        tables = open_lookups(loaded.release, loaded.product, published, self._lookups)
        return loaded.looking_up(tables, parts)

    def _challenger(self, release: Release, published: Published) -> LoadedRelease | None:
        if release.id in self._broken or release.id in self.engine.ejected:
            return None
        try:
            return self._loaded(release, published)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the live release is not held up
            if isinstance(error, SeatrialError) and not error.retryable:
                self._broken.add(release.id)
            self.counters.refreshes["challenger_failed"] += 1
            name = type(error).__name__ if not isinstance(error, SeatrialError) else str(error)
            _log.error("%s: challenger %s does not load; it is left out: %s", self.product, release.id, name)
            return None

    async def _tick_once(self) -> None:
        assert self._tick is not None
        try:
            await asyncio.to_thread(self._tick)
        except Exception:  # noqa: BLE001 - a disk that fails must not end the timer; counted and logged
            self.counters.refreshes["tick_failed"] += 1
            _log.exception("%s: the journal could not be looked after", self.product)

    def _tick_seconds(self) -> float:
        """Seconds between two looks after the journal: often enough for what a loss of power may take."""
        routes = self.engine.routes
        fsync = "batch" if routes is None else routes.live.product.file.serve.journal.fsync
        return self._limits.tick_seconds if fsync == "batch" else min(self._limits.tick_seconds, fsync / 2)

    async def _every(
        self, seconds: Callable[[], float], chore: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        while True:
            await asyncio.sleep(seconds())
            await chore()

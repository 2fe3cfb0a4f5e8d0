"""The one way from rows to predictions, for HTTP, rehearsal and batch alike.

Decode and check, look up and derive, route, score by every release that stands in front of the traffic,
decide, journal, answer.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from seatrial.errors import NotReady, RequestInvalid, SeatrialError
from seatrial.facts.records import PREDICTIONS, encode_record
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.serve.batch import Work, laid_out, read
from seatrial.serve.counters import Counters
from seatrial.serve.frames import Sheet
from seatrial.serve.judging import NoScoresError, Verdicts, unjudged
from seatrial.serve.lane import Lane
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.mishaps import loggable
from seatrial.serve.replays import Replays, replay_id
from seatrial.serve.request import Answers, Request
from seatrial.serve.routing import Routes
from seatrial.serve.writing import Answered, write_up

Result = Answers | Exception
_log = logging.getLogger(__name__)


def random_id() -> str:
    """An id that no other prediction has."""
    return str(uuid4())


class Engine:
    """Predicts. Whoever swaps releases assigns `routes`; the next batch sees the new ones.

    Safe to call from several threads, which then take turns.
    """

    def __init__(
        self,
        routes: Routes | None,
        journal: JournalWriter,
        clock: Clock,
        *,
        ids: Callable[[], str] = random_id,
        idempotency_capacity: int = 20_000,
        counters: Counters | None = None,
    ) -> None:
        """`ids` gives the ids of predictions; `idempotency_capacity` counts the rows whose answers are kept."""
        self.routes = routes
        self.counters = counters or Counters()
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._replays = Replays(idempotency_capacity)
        self._lanes: dict[str, Lane] = {}
        self._turn = threading.Lock()

    def predict(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        partial: bool = False,
        trace_id: str | None = None,
        deadline_seconds: float | None = None,
    ) -> Answers:
        """Predictions for the rows, journaled. A model that outlasts the deadline is answered for by the fallback.

        Raises RequestInvalid with every faulty row and field, NotReady while nothing is live, and
        JournalUnavailable when the answers could not be promised to survive.
        """
        request = Request(rows=rows, idempotency_key=idempotency_key, partial=partial, trace_id=trace_id)
        [result] = self.predict_many([request], budget_seconds=deadline_seconds)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        """Let go of the models' threads."""
        with self._turn:
            while self._lanes:
                self._lanes.popitem()[1].close()

    def predict_many(
        self, requests: Sequence[Request], *, budget_seconds: float | None = None
    ) -> list[Result]:
        """One result per request, from one micro-batch: its answers, or the error that it alone gets.

        `budget_seconds` is how long each model may take; None leaves it alone, which a rehearsal needs.
        """
        with self._turn:
            results = self._turn_of(requests, budget_seconds)
        self.counters.requests.update(_outcome(result) for result in results)
        return results

    def _turn_of(self, requests: Sequence[Request], budget_seconds: float | None) -> list[Result]:
        routes = self.routes
        if routes is None:
            return [NotReady("no release is live; `seatrial launch` makes one") for _ in requests]
        results: dict[int, Result] = {}
        works, twins = self._admitted(routes.live, requests, results)
        self._run(routes, works, results, budget_seconds)
        for slot in twins:  # the second use of a key within one batch: its first is recorded now
            results[slot] = self._turn_of([requests[slot]], budget_seconds)[0]
        return [results[slot] for slot in range(len(requests))]

    def _admitted(
        self, live: LoadedRelease, requests: Sequence[Request], results: dict[int, Result]
    ) -> tuple[list[Work], list[int]]:
        """What has to be worked on, and slots whose key is in use by an earlier one; refusals go to `results`."""
        works: list[Work] = []
        twins: list[int] = []
        keys: set[str] = set()
        now = self._clock.now()
        for slot, request in enumerate(requests):
            if request.idempotency_key in keys:
                twins.append(slot)
                continue
            try:
                recorded = self._replays.find(live.product.name, request)
                if recorded is not None:
                    results[slot] = recorded
                    continue
                works.append(read(live, request, slot, now))
            except RequestInvalid as error:
                self.counters.violated(error.faults, live.schema)
                results[slot] = error
            except Exception as error:  # noqa: BLE001 - logged, and answered as an error of its own request
                results[slot] = found = loggable(error, live.product)
                _log.error("a request of %d rows could not be read", len(request.rows), exc_info=found)
            if request.idempotency_key:
                keys.add(request.idempotency_key)
        return works, twins

    def _run(
        self, routes: Routes, works: list[Work], results: dict[int, Result], budget_seconds: float | None
    ) -> None:
        """Works the batch; should something unforeseen break it, each request is tried apart: one fails, not all."""
        try:
            self._work(routes, works, results, budget_seconds)
        except SeatrialError as error:
            results |= {work.slot: error for work in works if work.slot not in results}
        except Exception as error:  # noqa: BLE001 - logged, and answered as an error of its own request
            left = [work for work in works if work.slot not in results]
            found = loggable(error, routes.live.product)
            _log.error("a batch of %d requests could not be answered", len(left), exc_info=found)
            if len(works) == 1:
                results[works[0].slot] = found
                return
            for work in left:
                self._run(routes, [work], results, budget_seconds)

    def _work(
        self, routes: Routes, works: list[Work], results: dict[int, Result], budget_seconds: float | None
    ) -> None:
        """Sheet, verdicts, journal, answers; nothing is answered before it is journaled."""
        sheet, kept, refused = laid_out(routes.live, works)
        results |= refused
        rows = [row for work in kept for row in work.rows]
        panel = self._panel(routes, sheet, rows, budget_seconds)
        answered = write_up(routes, kept, panel, self._row_id, self._clock.now())
        records = [encode_record(prediction) for prediction in answered.records]
        if records:
            self._journal.append(PREDICTIONS, records)
        self._count(routes, answered, len(rows))
        for work, answers in zip(kept, answered.answers, strict=True):
            self._replays.record(routes.live.product.name, work.request, answers)
            results[work.slot] = answers

    def _panel(
        self, routes: Routes, sheet: Sheet, rows: list[dict[str, Any]], budget_seconds: float | None
    ) -> list[Verdicts]:
        """The verdicts of the live release, then the challenger's, if there is one."""
        live, *others = self._lanes_of(routes)
        beside = [self._beside(lane, sheet, rows, budget_seconds) for lane in others]
        return [live.judge(sheet, budget_seconds), *beside]

    def _beside(
        self, lane: Lane, live: Sheet, rows: list[dict[str, Any]], budget_seconds: float | None
    ) -> Verdicts:
        """The challenger's verdicts, under its own product; whatever goes wrong with it stays with it."""
        try:
            found = lane.judge(lane.sheet(live, rows), budget_seconds)
        except NoScoresError as error:
            found = unjudged(live, str(error))
        except Exception as error:  # noqa: BLE001 - a challenger must not hurt the answer; counted and logged
            names, cause = (lane.loaded.id, live.loaded.id), loggable(error, lane.loaded.product)
            _log.error("release %s could not take rows of release %s", *names, exc_info=cause)
            found = unjudged(live, f"rows raised {type(error).__name__}")
        if found.failure is not None:
            self.counters.shadow_errors[lane.loaded.id] += 1
        return found

    def _lanes_of(self, routes: Routes) -> list[Lane]:
        """The lanes of the present releases; those of releases that are gone are closed."""
        present = {loaded.id: loaded for loaded in routes.releases}
        for name, lane in list(self._lanes.items()):
            if name not in present or present[name].scorer is not lane.loaded.scorer:
                self._lanes.pop(name).close()
        for name, loaded in present.items():
            if name not in self._lanes:
                self._lanes[name] = Lane(loaded, self._clock, self.counters)
            self._lanes[name].loaded = loaded  # its phase or share may have changed; the breaker remembers
        return [self._lanes[name] for name in present]

    def _row_id(self, product: str, request: Request, row: int) -> str:
        return replay_id(product, request.idempotency_key, row) if request.idempotency_key else self._ids()

    def _count(self, routes: Routes, answered: Answered, rows: int) -> None:
        self.counters.batch_rows.observe(rows)
        for answers in answered.answers:
            self.counters.violated(answers.faults, routes.live.schema)
            for prediction in answers.predictions:
                self.counters.rows[prediction.release] += 1
                if prediction.fallback is not None:
                    self.counters.fallbacks[prediction.release, prediction.fallback] += 1
        self.counters.diverted.update(answered.diverted)


def _outcome(result: Result) -> str:
    if isinstance(result, Answers):
        return "ok"
    return result.code if isinstance(result, SeatrialError) else "unforeseen"

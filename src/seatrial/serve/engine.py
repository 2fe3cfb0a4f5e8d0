"""The one way from rows to predictions, for HTTP, rehearsal and batch alike.

Decode and check, look up and derive, route, score, decide, journal, answer; shadows are scored beside.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, islice
from typing import Any

from seatrial.errors import JournalUnavailable, NotReady, RequestInvalid, SeatrialError
from seatrial.facts.ejection import Ejection
from seatrial.facts.records import EJECTIONS, PREDICTIONS, encode_record
from seatrial.ports.clock import Clock
from seatrial.ports.journal import JournalWriter
from seatrial.serve.beside import AtOnce, Beside
from seatrial.serve.counters import Counters
from seatrial.serve.ejection import Call, Ward
from seatrial.serve.lane import Lane
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.mishaps import loggable
from seatrial.serve.reading import Work, laid_out, read
from seatrial.serve.recording import answer_records, shadow_record
from seatrial.serve.replays import Replays, fingerprint, replay_id
from seatrial.serve.request import Answers, Fault, Request
from seatrial.serve.routing import Routes
from seatrial.serve.ruling import Ruling, judge_beside, rule
from seatrial.serve.sheets import Recorded, Sheet, taken
from seatrial.serve.writing import RowFacts, answers, row_facts

Result = Answers | Exception
Ids = Callable[[int], list[str]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_log = logging.getLogger(__name__)


def prediction_ids() -> Ids:
    """Ids that no other prediction has: 80 random bits of this engine, then a number."""
    prefix, numbers = f"{secrets.token_hex(10)}-", count()
    return lambda rows: [prefix + str(number) for number in islice(numbers, rows)]


class Engine:
    """Predicts. Whoever swaps releases assigns `routes`; the next batch sees the new ones.

    `predict_many` is for one caller at a time, which the queue in front of it is; `predict` may be called from
    several threads, which then take turns.
    """

    def __init__(
        self,
        routes: Routes | None,
        journal: JournalWriter,
        clock: Clock,
        *,
        ids: Ids | None = None,
        idempotency_capacity: int = 20_000,
        counters: Counters | None = None,
        beside: Beside | None = None,
        elapsed: Callable[[], float] = time.monotonic,
        ejects: bool = False,
    ) -> None:
        """`ids` gives so many ids of predictions; `idempotency_capacity` counts the rows whose answers are kept.

        `beside` runs what nobody waits for; by default it is run before the answer is given. `elapsed` is the clock
        of `Request.arrived`. With `ejects`, a canary that hurts the service is put out of the traffic: for servers
        alone, since it depends on how busy the machine is, and a replay must come out the same every time.
        """
        self._routes = routes
        self._retired: deque[Routes] = deque()
        self.counters = counters or Counters()
        self._journal = journal
        self._clock = clock
        self._elapsed = elapsed
        self._ids = ids or prediction_ids()
        self._replays = Replays(idempotency_capacity)
        self._lanes: dict[str, Lane] = {}
        self._ejects = ejects
        self._wards: dict[str, Ward] = {}
        self._unsent: list[bytes] = []
        self.ejected: dict[str, Ejection] = {}  # canaries that this engine put out of the traffic
        self._routed: Routes | None = None
        self._present: list[Lane] = []
        self._beside = beside or AtOnce()
        self._turn = threading.Lock()
        self.recorded: Recorded | None = None  # the last batch, to warm the next release with

    @property
    def routes(self) -> Routes | None:
        """What stands in front of the traffic."""
        return self._routes

    @routes.setter
    def routes(self, routes: Routes | None) -> None:
        before, self._routes = self._routes, routes
        if before is not None:  # perhaps no batch has seen it: its models must be closed all the same
            self._retired.append(before)

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
        with self._turn:
            [result] = self.predict_many([request], budget_seconds=deadline_seconds)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        """Finish what is judged beside, and let go of the models."""
        self._beside.close()
        with self._turn:
            while self._lanes:
                self._lanes.popitem()[1].close()

    def look_round(self) -> None:
        """Let go of releases that are gone, though nobody asked since. For whoever calls `predict_many`."""
        self._lanes_of(self.routes)
        self._send_ejections()

    def predict_many(
        self, requests: Sequence[Request], *, budget_seconds: float | None = None
    ) -> list[Result]:
        """One result per request, from one micro-batch: its answers, or the error that it alone gets.

        `budget_seconds` is how long each model may take; None leaves it alone, which a rehearsal needs.
        """
        results = self._turn_of(requests, budget_seconds)
        outcomes = self.counters.requests
        for result in results:
            outcomes["ok" if isinstance(result, Answers) else _code(result)] += 1
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
        now, elapsed = _microseconds(self._clock.now()), self._elapsed()
        for slot, request in enumerate(requests):
            if request.idempotency_key in keys:
                twins.append(slot)
                continue
            try:
                # Before anything is journaled: what cannot be told apart cannot be remembered.
                mark = fingerprint(request) if request.idempotency_key else b""
                recorded = self._replays.find(live.product.name, request, mark) if mark else None
                if recorded is not None:
                    results[slot] = recorded
                    continue
                received_at = _received_at(request, now, elapsed)
                works.append(read(live, request, slot, received_at, mark))
            except RequestInvalid as error:
                self.counters.violated(error.faults, live.schema)
                results[slot] = error
            except RecursionError:
                results[slot] = RequestInvalid([_too_deep()])
            except Exception as error:  # noqa: BLE001 - logged, and answered as an error of its own request
                results[slot] = found = loggable(error, live.product)
                _log.error("a request of %d rows could not be read", request.size, exc_info=found)
            if request.idempotency_key:
                keys.add(request.idempotency_key)
        return works, twins

    def _run(
        self, routes: Routes, works: list[Work], results: dict[int, Result], budget_seconds: float | None
    ) -> None:
        """Works the batch; should something unforeseen break it, each request is tried apart: one fails, not all.

        What was journaled is never worked again: its answers stand in `results`.
        """
        if not works:
            return
        try:
            self._work(routes, works, results, budget_seconds)
        except SeatrialError as error:
            results |= {work.slot: error for work in works if work.slot not in results}
        except Exception as error:  # noqa: BLE001 - logged, and answered as an error of its own request
            left = [work for work in works if work.slot not in results]
            found = loggable(error, routes.live.product)
            _log.error("a batch of %d requests could not be answered", len(left), exc_info=found)
            if len(works) == 1:
                results.setdefault(works[0].slot, found)
                return
            for work in left:
                self._run(routes, [work], results, budget_seconds)

    def _work(
        self, routes: Routes, works: list[Work], results: dict[int, Result], budget_seconds: float | None
    ) -> None:
        """Sheet, ruling, journal, answers; nothing is answered before it is journaled."""
        live = routes.live
        sheet, kept, refused = laid_out(live, works)
        results |= refused
        if not sheet.rows:
            results |= {w.slot: Answers(release=live.id, predictions=(), faults=w.faults) for w in kept}
            self._count_faults(live, kept)
            return
        keys = _texts(sheet.columns[live.product.key])
        ruling = rule(routes, self._lanes_of(routes), sheet, keys, self.counters, budget_seconds)
        facts = row_facts(kept, sheet, keys, partial(self._row_ids, live.product.name), self._latencies(kept))
        given = answers(live.id, kept, facts, ruling)
        self._record(live, answer_records(ruling, facts, sheet), sheet.rows)
        results |= {work.slot: own for work, own in zip(kept, given, strict=True)}
        self.recorded = Recorded(live.schema, sheet.columns)
        for work, own in zip(kept, given, strict=True):
            if work.rows:  # where nothing was answered, there is nothing to give again
                self._replays.record(live.product.name, work.request, work.fingerprint, own)
        self._count_faults(live, kept)
        self._follow_up(routes, ruling, sheet, facts, budget_seconds)

    def _count_faults(self, live: LoadedRelease, works: Sequence[Work]) -> None:
        for work in works:
            if work.faults:
                self.counters.violated(work.faults, live.schema)

    def _follow_up(
        self, routes: Routes, ruling: Ruling, sheet: Sheet, facts: RowFacts, budget_seconds: float | None
    ) -> None:
        """What is counted and judged once the answers stand."""
        self._count(ruling, sheet.rows)
        for lane, places in ruling.beside:
            self._leave_beside(lane, sheet, facts, places, budget_seconds)
        if self._ejects and ruling.trial is not None:
            self._watch_canary(routes, ruling.trial)

    def _leave_beside(
        self, lane: Lane, sheet: Sheet, facts: RowFacts, places: Sequence[int] | None, budget: float | None
    ) -> None:
        """Have a release judge rows that were answered without it, and journal that."""

        def job() -> None:
            seen = sheet if places is None else taken(sheet, places)
            part = judge_beside(lane, seen, self.counters, budget)
            own = facts if places is None else facts.taken(places)
            self._journal.append(PREDICTIONS, [shadow_record(part, own, seen)])

        self._beside.run(
            partial(self._beside_job, job, lane),
            lane.loaded.id,
            sheet.rows if places is None else len(places),
        )

    def _beside_job(self, job: Callable[[], None], lane: Lane) -> None:
        try:
            job()
        except JournalUnavailable as error:
            # The answers themselves are journaled; what is lost here is counted.
            self.counters.shadows_left_out[lane.loaded.id] += 1
            _log.warning("rows judged beside their answers were not recorded: %s", error)

    def _watch_canary(self, routes: Routes, call: Call) -> None:
        """Put the canary out of the traffic of this process when it hurts the service, and say so in the journal."""
        assert routes.challenger is not None  # it was just asked
        name = routes.challenger.id
        ward = self._wards.setdefault(name, Ward(elapsed=self._elapsed))
        reason = ward.saw(call)
        if reason is None or name in self.ejected:
            return
        seen = ward.seen
        found = Ejection(
            product=routes.live.product.name,
            release=name,
            reason=reason,
            at=self._clock.now(),
            rows=seen.rows,
            failed=seen.failed,
            seconds=seen.seconds / max(1, seen.paired),
            live_seconds=seen.live_seconds / max(1, seen.paired),
        )
        _log.error(
            "release %s goes back to live here: %s (%d of %d rows failed; a call took %.1f ms, live's %.1f ms)",
            *(name, reason, seen.failed, seen.rows, found.seconds * 1000, found.live_seconds * 1000),
        )
        self.ejected[name] = found
        self.counters.ejections[name, reason] += 1
        if self.routes is routes:
            self.routes = Routes.of(routes.live)
        self._unsent.append(encode_record(found))
        self._send_ejections()

    def _send_ejections(self) -> None:
        """Tell the journal, now or when it can be written again: else the release would stay on trial for ever."""
        if not self._unsent:
            return
        try:
            self._journal.append(EJECTIONS, self._unsent)
            self._unsent = []
        except JournalUnavailable as error:
            _log.warning("an ejection could not be recorded yet: %s", error)

    def _record(self, live: LoadedRelease, records: Sequence[bytes], rows: int) -> None:
        """Journal the answers. Raises JournalUnavailable, unless the product rather answers without a record."""
        try:
            self._journal.append(PREDICTIONS, records)
        except JournalUnavailable:
            if live.product.file.serve.journal.unavailable != "answer":
                raise
            self.counters.journal_lost[live.id] += rows

    def _lanes_of(self, routes: Routes | None) -> list[Lane]:
        """The lanes of the present releases; those of releases that are gone are closed."""
        if routes is self._routed and not self._retired:
            return self._present
        present = {} if routes is None else {loaded.id: loaded for loaded in routes.releases}
        gone = []
        for name, lane in list(self._lanes.items()):
            if name not in present or present[name].scorer is not lane.loaded.scorer:
                gone.append(self._lanes.pop(name))
                self._beside.run(lane.close, name, 0)
        for name, loaded in present.items():
            if name not in self._lanes:
                self._lanes[name] = Lane(loaded, self.counters, self._elapsed)
            self._lanes[name].loaded = loaded  # its phase or share may have changed; the breaker remembers
        self._present, self._routed = [self._lanes[name] for name in present], routes
        self._close_unseen([*gone, *self._lanes.values()])
        return self._present

    def _close_unseen(self, seen: Sequence[Lane]) -> None:
        """Close the models of routes that were gone before a batch came; `seen` close their own."""
        held = {id(lane.loaded.scorer) for lane in seen}
        while self._retired:
            for loaded in self._retired.popleft().releases:
                if id(loaded.scorer) not in held:
                    self._beside.run(loaded.scorer.close, loaded.id, 0)

    def _row_ids(self, product: str, works: Sequence[Work]) -> list[str]:
        """Ids of all rows; under an idempotency key always the same."""
        if not any(work.request.idempotency_key for work in works):
            return self._ids(sum(len(work.rows) for work in works))
        found: list[str] = []
        for work in works:
            key = work.request.idempotency_key
            found += (
                [replay_id(product, key, row) for row in work.positions] if key else self._ids(len(work.rows))
            )
        return found

    def _latencies(self, works: Sequence[Work]) -> list[float]:
        """Milliseconds since each request arrived."""
        ended, now = self._elapsed(), _microseconds(self._clock.now())
        return [
            max(0.0, (now - work.received_at) / 1000)
            if (arrived := work.request.arrived) is None
            else max(0.0, (ended - arrived) * 1000)
            for work in works
        ]

    def _count(self, ruling: Ruling, rows: int) -> None:
        self.counters.batch_rows.observe(rows)
        for part in ruling.parts:
            name, fallbacks = part.loaded.id, part.verdicts.fallbacks
            self.counters.rows[name] += len(fallbacks)
            if any(fallbacks):
                self.counters.fallbacks.update((name, reason) for reason in fallbacks if reason is not None)


def _too_deep() -> Fault:
    return {
        "row": 0,
        "field": "",
        "expected": "rows that are nested less deep",
        "received": "rows nested too deep",
    }


def _texts(keys: Sequence[Any]) -> list[str]:
    return [key if type(key) is str else str(key) for key in keys]


def _received_at(request: Request, now: int, elapsed: float) -> int:
    """When the request arrived, in microseconds since 1970."""
    if request.received_at is not None:
        return _microseconds(request.received_at)
    return now if request.arrived is None else now - max(0, int((elapsed - request.arrived) * 1_000_000))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _code(error: Exception) -> str:
    return error.code if isinstance(error, SeatrialError) else "unforeseen"

"""The way to one release's model: behind a breaker, and in bounded time when the caller's is."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from seatrial.errors import ModelFailed
from seatrial.ports.runtime import Inputs
from seatrial.serve.breaker import Breaker
from seatrial.serve.counters import Counters
from seatrial.serve.judging import NoScoresError, Score, Verdicts, judged
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.sheets import Sheet, sheet
from seatrial.serve.time_limit import StillRunningError, TimeLimit

BREAKER_OPEN = "breaker open"
TOO_SLOW = "model too slow"
_PATIENCE = 60.0
_LOOKS_EVERY = 0.02
Scores = npt.NDArray[np.float64]


class Lane:
    """Judges rows by one release; a model that fails again and again is left alone for a while.

    Rows that are judged for an answer and rows that are judged beside one may come from two threads.
    """

    def __init__(
        self, loaded: LoadedRelease, counters: Counters, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        """`elapsed` is a clock in seconds that never jumps."""
        self.loaded = loaded
        self._breaker = Breaker(elapsed)
        self._counters = counters
        self._limit: TimeLimit[Scores] = TimeLimit()
        self._beside_limit: TimeLimit[Scores] = TimeLimit()

    def sheet(self, live: Sheet) -> Sheet:
        """The rows under this release's product; the live release's sheet where they are the same.

        Raises NoScoresError when the live contract lacks a column that this release's contract has, or has it with
        another type.
        """
        if _same_tables(live.loaded, self.loaded):
            return live
        absent = sorted(self.loaded.schema.keys() - live.columns.keys())
        if absent:
            raise NoScoresError(f"requests have no column {', '.join(absent)}")
        theirs = live.loaded.schema
        own = {name: dtype for name, dtype in self.loaded.schema.items() if theirs[name] != dtype}
        wider = {name for name, dtype in own.items() if dtype.is_float() and theirs[name].is_integer()}
        if other := sorted(own.keys() - wider):
            raise NoScoresError(f"requests have another type of column {', '.join(other)}")
        columns = {
            name: _floats(live.columns[name]) if name in wider else live.columns[name]
            for name in self.loaded.schema
        }
        return sheet(self.loaded, columns, live.rows)

    def judge(self, own: Sheet, budget_seconds: float | None) -> Verdicts:
        """The release's verdicts; the fallback's when the model fails or needs longer than the budget."""
        return self._judge(own, self._scoring(self._limit, budget_seconds))

    def judge_beside(self, own: Sheet, budget_seconds: float | None) -> Verdicts:
        """The same for rows that were answered already."""
        return self._judge(own, self._scoring(self._beside_limit, budget_seconds))

    def close(self) -> None:
        """Let go of the model and its threads."""
        self._limit.close()
        self._beside_limit.close()
        self.loaded.scorer.close()

    def _judge(self, own: Sheet, score: Score) -> Verdicts:
        if not self._breaker.closed:
            return judged(self.loaded, own, _refuse)
        began = time.perf_counter()
        verdicts = judged(self.loaded, own, score)
        self._counters.judged(self.loaded.id, time.perf_counter() - began, verdicts.failure)
        if not verdicts.passing:
            self._remember(verdicts.failure)
        return verdicts

    def _scoring(self, limit: TimeLimit[Scores], budget_seconds: float | None) -> Score:
        """The model, which may be asked several times as long as the budget lasts."""
        if budget_seconds is None:
            return self._patient if self.loaded.scorer.isolated else self.loaded.scorer.score
        return partial(self._score, limit, time.perf_counter() + budget_seconds)

    def _patient(self, inputs: Inputs) -> Scores:
        """Scores for who has no deadline, and waits while the model's process is being started again."""
        until = time.perf_counter() + _PATIENCE
        while True:
            try:
                return self.loaded.scorer.score(inputs)
            except ModelFailed as error:
                if error.how != "starting" or time.perf_counter() > until:
                    raise
            time.sleep(_LOOKS_EVERY)

    def _score(self, limit: TimeLimit[Scores], until: float, inputs: Inputs) -> Scores:
        left = until - time.perf_counter()
        if left <= 0:
            raise NoScoresError(TOO_SLOW)
        try:
            return limit.call(partial(self.loaded.scorer.score, inputs), left)
        except StillRunningError as error:
            raise NoScoresError(TOO_SLOW, passing=True) from error
        except TimeoutError as error:
            raise NoScoresError(TOO_SLOW) from error

    def _remember(self, failure: str | None) -> None:
        if failure is None:
            self._breaker.succeeded()
        elif self._breaker.failed():
            self._counters.breaker_opens[self.loaded.id] += 1


def _floats(numbers: Sequence[int | None]) -> list[float | None]:
    return [None if number is None else float(number) for number in numbers]


def _same_tables(one: LoadedRelease, other: LoadedRelease) -> bool:
    lookups = all(other.lookups.get(name) is index for name, index in one.lookups.items())
    return one.product.texts == other.product.texts and lookups


def _refuse(_: Inputs) -> Scores:
    raise NoScoresError(BREAKER_OPEN)

"""The way to one release's model: behind a breaker, and in bounded time when the caller's is."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.ports.clock import Clock
from seatrial.serve.breaker import Breaker
from seatrial.serve.counters import Counters
from seatrial.serve.frames import Sheet, sheet
from seatrial.serve.judging import Inputs, NoScoresError, Verdicts, judged
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.time_limit import TimeLimit

BREAKER_OPEN = "breaker open"
TOO_SLOW = "model too slow"


class Lane:
    """Judges rows by one release; a model that fails again and again is left alone for a while."""

    def __init__(self, loaded: LoadedRelease, clock: Clock, counters: Counters) -> None:
        self.loaded = loaded
        self._breaker = Breaker(clock)
        self._counters = counters
        self._limit: TimeLimit[npt.NDArray[np.float64]] = TimeLimit()

    def sheet(self, live: Sheet, rows: list[dict[str, Any]]) -> Sheet:
        """The rows under this release's product; the live release's sheet where they are the same.

        Raises NoScoresError when the live contract lacks a column that this release's contract has.
        """
        if _same_tables(live.loaded, self.loaded):
            return live
        absent = sorted(self.loaded.schema.keys() - live.loaded.schema.keys())
        if absent:
            raise NoScoresError(f"requests have no column {', '.join(absent)}")
        return sheet(self.loaded, [{name: row[name] for name in self.loaded.schema} for row in rows])

    def judge(self, own: Sheet, budget_seconds: float | None) -> Verdicts:
        """The release's verdicts; the fallback's when the model fails or needs longer than the budget."""
        if not self._breaker.closed:
            return judged(self.loaded, own, _refuse)
        verdicts = judged(self.loaded, own, partial(self._score, budget_seconds))
        self._remember(verdicts.failure)
        return verdicts

    def close(self) -> None:
        """Let go of the model's thread."""
        self._limit.close()

    def _score(self, budget_seconds: float | None, inputs: Inputs) -> npt.NDArray[np.float64]:
        if budget_seconds is None:
            return self.loaded.scorer.score(inputs)
        try:
            return self._limit.call(partial(self.loaded.scorer.score, inputs), budget_seconds)
        except TimeoutError as error:
            raise NoScoresError(TOO_SLOW) from error

    def _remember(self, failure: str | None) -> None:
        if failure is None:
            self._breaker.succeeded()
        elif self._breaker.failed():
            self._counters.breaker_opens[self.loaded.id] += 1


def _same_tables(one: LoadedRelease, other: LoadedRelease) -> bool:
    lookups = all(other.lookups.get(name) is index for name, index in one.lookups.items())
    return one.product.texts == other.product.texts and lookups


def _refuse(_: Inputs) -> npt.NDArray[np.float64]:
    raise NoScoresError(BREAKER_OPEN)

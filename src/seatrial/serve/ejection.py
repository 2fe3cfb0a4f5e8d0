"""When a canary must go back to live at once: it fails, or it is slow. Outcomes are not waited for."""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

FAILS = "the canary fails"
SLOW = "the canary is slow"


class Call(NamedTuple):
    """One call of the canary: its rows, how many failed, its seconds; and what the live release took beside it."""

    rows: int
    failed: int
    seconds: float
    live_rows: int
    live_seconds: float


class Seen(NamedTuple):
    """Totals over the calls of the last seconds. Only calls beside which live had rows, too, count as `paired`."""

    rows: int = 0
    failed: int = 0
    paired: int = 0
    paired_rows: int = 0
    seconds: float = 0.0
    live_rows: int = 0
    live_seconds: float = 0.0

    def plus(self, call: Call, sign: int) -> "Seen":
        """The totals with a call more, or less."""
        paired = sign if call.live_rows else 0
        return Seen(
            self.rows + sign * call.rows,
            self.failed + sign * call.failed,
            self.paired + paired,
            self.paired_rows + paired * call.rows,
            self.seconds + paired * call.seconds,
            self.live_rows + paired * call.live_rows,
            self.live_seconds + paired * call.live_seconds,
        )


class Ward:
    """Watches one canary over a window of `window` seconds, from `calls` calls and `rows` rows on.

    It is to go when more than `failures` of its rows have no score, or when it takes more than `stretch` times as long
    as the live release and `slack` seconds more: by call *and* by row, for the two have different numbers of rows.
    """

    def __init__(
        self,
        *,
        window: float = 10.0,
        calls: int = 10,
        rows: int = 20,
        failures: float = 0.1,
        stretch: float = 3.0,
        slack: float = 0.02,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window, self._calls, self._rows = window, calls, rows
        self._failures, self._stretch, self._slack = failures, stretch, slack
        self._elapsed = elapsed
        self._entries: deque[tuple[float, Call]] = deque()
        self.seen = Seen()

    def saw(self, call: Call) -> str | None:
        """Why the canary must go, after one more call; None while it may stay."""
        now = self._elapsed()
        self._entries.append((now, call))
        self.seen = self.seen.plus(call, 1)
        while self._entries[0][0] <= now - self._window:
            self.seen = self.seen.plus(self._entries.popleft()[1], -1)
        seen = self.seen
        if seen.rows >= self._rows and seen.failed > self._failures * seen.rows:
            return FAILS
        return SLOW if seen.paired >= self._calls and self._is_slow(seen) else None

    def _is_slow(self, seen: Seen) -> bool:
        allowed = self._slack * seen.paired
        by_call = seen.seconds > self._stretch * seen.live_seconds + allowed
        fair = seen.live_seconds / seen.live_rows * seen.paired_rows
        return by_call and seen.seconds > self._stretch * fair + allowed

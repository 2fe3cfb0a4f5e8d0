"""How much one batch takes, and who may wait: what would wait too long is refused at once.

A bound on the number of rows cannot keep latency: only a bound on the expected wait does, and batches that are not
larger than they are worth. Where a model takes its time per row, two rows in a batch make both wait and nobody gain.
"""

import math
from collections import deque

# What has been measured counts less by this factor with every batch.
_MEMORY = 0.95
# A batch that took more than so many times what was expected teaches no more than that: the rest was the machine's.
_SURPRISE = 4.0
_KNOWN_AFTER = 20
# A batch may take so many times the smallest call, or so many seconds, whichever is longer.
_WORTH, _WORTH_SECONDS = 1.5, 0.003
# Batches until a size that took too long is tried again; each time it fails, twice as many.
_HOLD, _LONGEST_HOLD = 500, 16_000
# A request may wait so many times what the smallest call takes.
_STRETCH = 1.6


class ServiceTime:
    """Seconds that a batch takes by its rows, fixed + per_row * rows, as recent batches show.

    Least squares with exponential forgetting; neither part is negative. While all batches are of one size, all of
    the time counts as per row: the careful guess, which the first batch of another size corrects.
    """

    def __init__(self) -> None:
        self._n = self._rows = self._seconds = self._rows_rows = self._rows_seconds = 0.0
        self._batches = 0

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from one batch."""
        self._batches += 1
        if self._batches > _KNOWN_AFTER:
            seconds = min(seconds, _SURPRISE * self.seconds(rows))
        self._n = self._n * _MEMORY + 1
        self._rows = self._rows * _MEMORY + rows
        self._seconds = self._seconds * _MEMORY + seconds
        self._rows_rows = self._rows_rows * _MEMORY + rows * rows
        self._rows_seconds = self._rows_seconds * _MEMORY + rows * seconds

    def seconds(self, rows: int) -> float:
        """What a batch of so many rows is expected to take; 0 while nothing is known."""
        if not self._rows:
            return 0.0
        spread = self._n * self._rows_rows - self._rows * self._rows
        if spread <= 1e-6 * self._n * self._rows_rows:
            return self._seconds / self._rows * rows
        per_row = (self._n * self._rows_seconds - self._rows * self._seconds) / spread
        per_row = min(max(per_row, 0.0), self._seconds / self._rows)
        return max(0.0, (self._seconds - per_row * self._rows) / self._n) + per_row * rows


class Pace:
    """How many rows the next batch may take, and how long the line may be, as the batches before show.

    `cap` is the number of rows. It doubles while full batches take hardly longer than the smallest, and shrinks when
    three of them in a row took too long.
    """

    def __init__(self, largest: int = 256) -> None:
        """A batch never takes more than `largest` rows, unless one request alone has more."""
        self.cap = 1
        self._largest = largest
        self._times: dict[
            int, float
        ] = {}  # by the number of binary digits of the rows: sizes that differ by less than 2
        # Requests that are larger than a batch make others wait now and then; that is load, not overload.
        self._large: deque[float] = deque([0.0], maxlen=64)
        self._slow, self._held, self._hold, self._grew = 0, 0, _HOLD, False

    def ran(self, rows: int, seconds: float) -> None:
        """Learn from one batch."""
        seconds = max(seconds, 1e-6)
        size = rows.bit_length()
        known = self._times.get(size, seconds)
        self._times[size] = 0.8 * known + 0.2 * min(seconds, _SURPRISE * known)
        self._large.append(seconds if rows > self.cap else 0.0)
        self._held -= 1
        if rows == self.cap:
            self._turn_cap(seconds, max(_WORTH_SECONDS, _WORTH * self._smallest()))

    def expected(self, rows: int) -> float:
        """Seconds that a batch of so many rows will take, as far as is known; never too few."""
        size = rows.bit_length()
        larger = min((known for known in self._times if known >= size), default=None)
        if larger is not None:
            return self._times[larger]
        below = max(self._times, default=None)
        return 0.0 if below is None else self._times[below] * 2.0 ** (size - below)

    def admits(self, waiting: int, running_for: float) -> bool:
        """Whether one more may wait behind `waiting` rows, while a batch runs for `running_for` seconds more.

        Whoever would be next is always admitted: the running batch bounds its wait.
        """
        if not waiting:
            return True
        wait = running_for + waiting // self.cap * self.expected(self.cap)
        return wait <= _STRETCH * max(self._smallest(), *self._large)

    def _smallest(self) -> float:
        """Seconds that the smallest batches take."""
        return self._times[min(self._times)] if self._times else math.inf

    def _turn_cap(self, seconds: float, worth: float) -> None:
        if seconds <= worth:
            self._slow = 0
            if self._held <= 0:
                self.cap, self._grew = min(self._largest, 2 * self.cap), True
            return
        self._slow += 1
        if self._slow >= 3 and self.cap > 1:
            self.cap = min(self.cap - 1, max(1, int(self.cap * worth / seconds)))
            # A model that became slower comes down in several steps, which are one failure.
            self._hold = min(2 * self._hold, _LONGEST_HOLD) if self._grew else self._hold
            self._slow, self._held, self._grew = 0, self._hold, False

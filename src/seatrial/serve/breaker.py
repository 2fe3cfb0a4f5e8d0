"""Leaves a failing model alone for a while, so that its failures cost nobody time."""

from datetime import datetime, timedelta

from seatrial.ports.clock import Clock


class Breaker:
    """Opens after `limit` failures in a row, for `seconds`; then one trial decides whether it closes again."""

    def __init__(self, clock: Clock, *, limit: int = 5, seconds: float = 30.0) -> None:
        self._clock = clock
        self._limit = limit
        self._pause = timedelta(seconds=seconds)
        self._failures = 0
        self._open_until: datetime | None = None
        self.opens = 0

    @property
    def closed(self) -> bool:
        """Whether the model may be asked now."""
        return self._open_until is None or self._clock.now() >= self._open_until

    def succeeded(self) -> None:
        """Closes, and forgets the failures before."""
        self._failures, self._open_until = 0, None

    def failed(self) -> bool:
        """Counts one failure more; True when it opened the breaker."""
        self._failures += 1
        if self._failures < self._limit:
            return False
        self._open_until = self._clock.now() + self._pause
        self.opens += 1
        return True

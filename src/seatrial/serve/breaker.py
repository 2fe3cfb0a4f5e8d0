"""Leaves a failing model alone for a while, so that its failures cost nobody time."""

from collections.abc import Callable


class Breaker:
    """Opens after `limit` failures in a row, for `seconds`; then one trial decides whether it closes again.

    `elapsed` is a clock in seconds that never jumps.
    """

    def __init__(self, elapsed: Callable[[], float], *, limit: int = 5, seconds: float = 30.0) -> None:
        self._elapsed = elapsed
        self._limit = limit
        self._pause = seconds
        self._failures = 0
        self._open_until: float | None = None
        self.opens = 0

    @property
    def closed(self) -> bool:
        """Whether the model may be asked now."""
        return self._open_until is None or self._elapsed() >= self._open_until

    def succeeded(self) -> None:
        """Closes, and forgets the failures before."""
        self._failures, self._open_until = 0, None

    def failed(self) -> bool:
        """Counts one failure more; True when it opened the breaker."""
        self._failures += 1
        if self._failures < self._limit:
            return False
        self._open_until = self._elapsed() + self._pause
        self.opens += 1
        return True

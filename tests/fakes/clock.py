"""A clock for tests: it stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

START = datetime(2025, 1, 1, tzinfo=UTC)


class MemoryClock:
    """Tells `moment`, which a test may set or advance."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def advance(self, **duration: float) -> datetime:
        """The time afterwards; the duration is given as to `timedelta`."""
        self.moment += timedelta(**duration)
        return self.moment

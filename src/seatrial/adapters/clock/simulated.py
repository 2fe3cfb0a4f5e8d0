"""A clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta


class SimulatedClock:
    """Tells the time it was moved to; it never goes back. For one thread."""

    def __init__(self, start: datetime) -> None:
        self._now = _utc(start)

    def now(self) -> datetime:
        return self._now

    def advance_to(self, moment: datetime) -> datetime:
        """The time afterwards: `moment`, or the present time when that is later. Raises ValueError if naive."""
        self._now = max(self._now, _utc(moment))
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """The time afterwards, `by` later; a negative duration changes nothing."""
        return self.advance_to(self._now + by)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(
            f"a simulated time needs its time zone, expected an aware datetime, received {moment}"
        )
    return moment.astimezone(UTC)

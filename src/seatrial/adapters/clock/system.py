"""The machine's clock."""

from datetime import UTC, datetime, timedelta


class SystemClock:
    """Tells the machine's time, moved by `offset`: a replay of history may stand in the past."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

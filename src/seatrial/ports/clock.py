"""Time, which the rehearsal simulates."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time in UTC. The inside of Seatrial reads no other clock for facts."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

"""What serving alone needs from outside."""

from typing import Protocol

import msgspec

from seatrial.facts.release import Release


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """The release that is live, and the one in shadow or canary beside it, if any.

    `lookups` are the newest tables by name; a lookup that is not there is read from the release's bundle.
    """

    live: Release
    challenger: Release | None = None
    lookups: dict[str, str] = {}


class RouteSource(Protocol):
    """Tells which releases stand in front of the traffic of one product."""

    def current(self) -> RouteTable | None:
        """The present table, or None while nothing is live. May block; raises a retryable error when it cannot."""
        ...

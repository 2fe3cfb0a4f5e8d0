"""Which releases stand in front of the traffic, as the metadata store has it."""

from seatrial.facts.lookups import CURRENT, LookupTables
from seatrial.ports.metadata import Metadata
from seatrial.release.phases import challenger, live_release
from seatrial.serve.ports import RouteTable


class RecordedRoutes:
    """Reads the routes of one product; polled off the request path."""

    def __init__(self, metadata: Metadata, product: str) -> None:
        self._metadata, self._product = metadata, product

    def current(self) -> RouteTable | None:
        """The live release and its challenger, or None while nothing is live."""
        with self._metadata.begin() as transaction:
            live = live_release(transaction, self._product)
            tried = challenger(transaction, self._product)
            published = transaction.get(LookupTables, self._product, CURRENT)
        if live is None:
            return None
        return RouteTable(
            live=live,
            challenger=tried,
            lookups=published.lookups if published else {},
            published_at=published.published_at if published else None,
        )

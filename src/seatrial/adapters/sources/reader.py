"""One reader for every kind of source."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from seatrial.adapters.sources.asked import Asked, asked
from seatrial.adapters.sources.files import FileSource
from seatrial.adapters.sources.modules import Modules
from seatrial.adapters.sources.python import PythonSource
from seatrial.contract.zones import in_zone
from seatrial.data.ports import Delivery, Position
from seatrial.product.schema import Source

# Of a position: the zone in which the times before it were read.
_ZONE = "timezone"


class Sources:
    """Reads whatever kind a source is. Make a new one for each reading: Python sources keep their modules.

    `sleep` waits between two attempts.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep, self._modules = sleep, Modules()

    def read(
        self, name: str, source: Source, folder: Path | None, *, since: Position | None = None
    ) -> Iterator[Delivery]:
        """What the source delivers after `since`, or all of it. Raises SourceFailed when it cannot be read.

        What was read in another time zone than the source says now is read again, from its beginning.
        """
        zone, start = source.timezone, dict(since) if since is not None else None
        if start is not None and start.pop(_ZONE, None) != zone:
            start = None
        delivered = self._kind(source.kind)(asked(name, source, folder, start, self._sleep))
        return (_zoned(one, zone) for one in delivered) if zone else delivered

    def _kind(self, kind: str) -> Callable[[Asked], Iterator[Delivery]]:
        # Database, table and dlt libraries cost up to a second each, which who reads files should not pay.
        if kind == "sql":
            from seatrial.adapters.sources.sql import SqlSource

            return SqlSource().read
        if kind == "delta":
            from seatrial.adapters.sources.delta import DeltaSource

            return DeltaSource().read
        if kind == "dlt":
            from seatrial.adapters.sources.dlt_resources import DltSource

            return DltSource(self._modules).read
        return PythonSource(self._modules).read if kind == "python" else FileSource().read


def _zoned(delivery: Delivery, zone: str) -> Delivery:
    position = {**delivery.position, _ZONE: zone}
    return replace(delivery, frame=in_zone(delivery.frame, zone), position=position)

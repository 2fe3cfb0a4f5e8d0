"""How old what a lookup tells is, and how old the contract lets it be."""

import math
from dataclasses import dataclass
from datetime import datetime

from seatrial.product.product import Product


@dataclass(frozen=True)
class Staleness:
    """`seconds` since the newest event that a lookup tells of, infinite without one; `bound` is the contract's."""

    lookup: str
    newest: datetime | None
    seconds: float
    bound: float | None

    @property
    def is_over(self) -> bool:
        """Whether it is older than the contract lets it be."""
        return self.bound is not None and self.seconds > self.bound


def staleness(product: Product, lookup: str, newest: datetime | None, at: datetime) -> Staleness:
    """The staleness of a lookup at `at` whose newest known event was at `newest`."""
    seconds = math.inf if newest is None else (at - newest).total_seconds()
    return Staleness(lookup, newest, seconds, freshness_bound(product, lookup))


def freshness_bound(product: Product, lookup: str) -> float | None:
    """The seconds that the contract gives the event time of a lookup's source; None where it gives none."""
    table = product.contract.table(product.lookup_source(lookup))
    as_of = product.lookup(lookup).as_of
    bounds = [one.seconds for one in table.freshness if one.column == as_of] if table else []
    return min(bounds, default=None)

"""What serving alone needs from outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
import polars as pl

from seatrial.facts.lookups import PublishedLookup
from seatrial.facts.release import Release
from seatrial.product.schema import Lookup


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """The release that is live, and the one in shadow or canary beside it, if any.

    `lookups` are the newest tables by name; a lookup that is not there is read from the release's bundle.
    `published_at` is when they were last compared with their sources.
    """

    live: Release
    challenger: Release | None = None
    lookups: dict[str, PublishedLookup] = {}
    published_at: datetime | None = None


class RouteSource(Protocol):
    """Tells which releases stand in front of the traffic of one product."""

    def current(self) -> RouteTable | None:
        """The present table, or None while nothing is live. May block; raises a retryable error when it cannot."""
        ...


class LookupTable(Protocol):
    """One lookup's prepared table, to be searched by key and moment. Safe to use from several threads."""

    @property
    def schema(self) -> pl.Schema:
        """The columns that are looked up, with their types."""
        ...

    def find(self, frame: pl.DataFrame, made_at: str) -> pl.DataFrame:
        """The lookup's columns for each row of `frame`, in order; nulls where nothing was known at `made_at`."""
        ...

    def pick(self, keys: Mapping[str, Sequence[Any]], moments: Sequence[int | None]) -> dict[str, list[Any]]:
        """The same for columns of physical values (times in microseconds since 1970), without a table."""
        ...


class LookupStore(Protocol):
    """Keeps the published tables of one product where requests can read them."""

    def open(
        self, name: str, published: PublishedLookup, lookup: Lookup, columns: tuple[str, ...]
    ) -> LookupTable | None:
        """The table with all its increments, giving `columns`; None when it was made without one of them.

        Opening a later publication of the same base may bring tables that are open up to date. May block. Raises
        NotFound or IntegrityBroken when a part is gone or altered, StorageFailed when it cannot be kept here.
        """
        ...

    def keep(self, tables: Collection[LookupTable]) -> None:
        """Remove for good what this store keeps of other tables: these are all that requests still read."""
        ...

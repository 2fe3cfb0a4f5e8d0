"""The lookup tables of a product as they were last published."""

from datetime import datetime

import msgspec

CURRENT = "current"


class PublishedLookup(msgspec.Struct, frozen=True, kw_only=True):
    """One lookup's table as published: artifacts of a whole table and of the changes since, in order.

    `on` are its key columns. `rows` counts the table with all changes, `changed_rows` the changes since `base`.
    `newest` is the latest event time that was known at the last publication; None for a table without times.
    `coming` are rows that become known afterwards and tell of a later time: known time and event time, in order.
    """

    on: tuple[str, ...]
    base: str
    increments: tuple[str, ...] = ()
    rows: int = 0
    changed_rows: int = 0
    newest: datetime | None = None
    coming: tuple[tuple[datetime, datetime], ...] = ()
    changed_at: datetime | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The base and all increments: equal parts are equal tables."""
        return (self.base, *self.increments)

    def newest_at(self, at: datetime) -> datetime | None:
        """The latest event time that is known at a moment after the publication; None for a table without times."""
        return max((told for known, told in self.coming if known <= at), default=self.newest)


class LookupTables(msgspec.Struct, frozen=True, kw_only=True):
    """Each lookup's newest table. One per product (`id` is always "current").

    A release's bundle remembers the tables of its day; servers use these, so that weather or prices stay
    fresh without a new release. `published_at` is when they were last compared with the sources.
    """

    id: str = CURRENT
    product: str
    lookups: dict[str, PublishedLookup] = {}
    published_at: datetime

    @property
    def tables(self) -> dict[str, str]:
        """The artifact with each lookup's last whole table."""
        return {name: published.base for name, published in self.lookups.items()}

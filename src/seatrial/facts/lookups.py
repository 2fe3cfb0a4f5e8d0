"""The lookup tables of a product as they were last published."""

from datetime import datetime

import msgspec

CURRENT = "current"


class LookupTables(msgspec.Struct, frozen=True, kw_only=True):
    """Each lookup's newest table, by artifact. One per product (`id` is always "current").

    A release's bundle remembers the tables of its day; servers use these, so that weather or prices stay
    fresh without a new release.
    """

    id: str = CURRENT
    product: str
    tables: dict[str, str]
    published_at: datetime

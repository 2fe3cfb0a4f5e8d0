"""What was erased for good, without the data."""

from datetime import datetime

import msgspec

PENDING, DONE = "pending", "done"


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure by the value of a column. `commitment` is the salted digest of the value; `salt` lets it be proved.

    `columns` tells, per source, the columns in which the value was looked for. Rows delivered again later whose
    value has the commitment are not taken in. `rows` counts what was removed per table; `snapshots` and `models`
    are those made from erased rows. `declared` tells the columns that the contract declared then, per source: what came
    since may be a column that was searched, under a new name. An erasure is pending until the last trace is gone.
    """

    id: str
    product: str
    column: str
    columns: dict[str, tuple[str, ...]]
    declared: dict[str, tuple[str, ...]] = {}
    salt: str
    commitment: str
    state: str
    rows: dict[str, int]
    snapshots: tuple[str, ...]
    models: tuple[str, ...]
    why: str
    by: str
    at: datetime

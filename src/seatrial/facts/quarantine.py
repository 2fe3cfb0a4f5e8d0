"""How rows that broke the contract are mended: by rule, declared once, applied to every delivery."""

from datetime import datetime

import msgspec


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of `source` that break `rule` (and satisfy `where`, SQL) get new values, and are checked again.

    `set` maps columns to SQL expressions over the row as delivered.
    """

    id: str
    product: str
    source: str
    rule: str
    set: dict[str, str]
    where: str = ""
    why: str
    by: str
    at: datetime
    withdrawn: bool = False

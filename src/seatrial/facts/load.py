"""One reading of a source that changed what is stored of it."""

from datetime import datetime
from typing import Any

import msgspec

from seatrial.facts.snapshot import RuleResult

PENDING, DONE, LOST = "pending", "done", "lost"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The `number`-th load of a source; `id` is `<source>-<number>`.

    `delivered` rows were read, the whole source again (`whole`) or only what was new; `added` and `removed` is how
    the rows stored in `table` changed; `quarantined` rows were put aside. `position` is where the next reading goes
    on, `declaration` the digest of the source's section in the product file, `contract` the artifact with the
    contract. `rows` are stored after the load, `profile` is the artifact with their profile (`facts.profile`).

    `digest` is that of the canonical rows after a whole reading; after others it chains the digest before with
    that of the changes. `rules` tells of this load; `all_rules`, `all_delivered` and `all_rejected` of all since the
    last whole reading. A load is pending until its rows are
    committed, and lost when another process committed its own in its place.
    """

    id: str
    product: str
    source: str
    number: int
    kind: str
    origin: str
    whole: bool
    state: str
    table: str
    position: dict[str, Any]
    declaration: str
    delivered: int
    added: int
    removed: int
    quarantined: int
    rows: int
    digest: str
    profile: str
    contract: str
    contract_version: str
    rules: tuple[RuleResult, ...]
    all_rules: tuple[RuleResult, ...]
    all_delivered: int
    all_rejected: int
    corrected: dict[str, int] = {}
    suppressed: int = 0
    read_at: datetime

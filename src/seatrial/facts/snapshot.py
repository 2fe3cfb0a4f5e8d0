"""An immutable, checked, versioned table of examples, and where it came from."""

from datetime import datetime

import msgspec


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one rule of the contract fared on one table: rows seen, rows that broke it, what happened to them.

    A rule about the whole table failed 0 or 1 times; `detail` then says what was expected and found.
    """

    source: str
    rule: str
    rows: int
    failed: int
    severity: str = "error"
    detail: str = ""


class SourceRead(msgspec.Struct, frozen=True, kw_only=True):
    """One source as it was read: rows, rows kept, a digest of its canonical rows, when, and by which load."""

    name: str
    kind: str
    rows: int
    kept: int
    digest: str
    read_at: datetime
    load: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable table of examples. `id` is the digest over its canonical rows.

    `number` names its state in `table`, where the examples of all snapshots are kept; `profile` is the artifact
    with its profile. After an erasure, `erased` counts the rows that are gone and `remaining` is the digest of
    the others.
    """

    id: str
    product: str
    table: str
    number: int
    profile: str
    erased: int = 0
    remaining: str = ""
    rows: int
    columns: tuple[str, ...]
    first_made_at: datetime
    last_made_at: datetime
    as_of: datetime | None
    sources: tuple[SourceRead, ...]
    rules: tuple[RuleResult, ...]
    contract_version: str
    product_digest: str
    created_at: datetime

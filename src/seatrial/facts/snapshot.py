"""An immutable, checked, versioned table of examples, and where it came from."""

from datetime import datetime

import msgspec


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one rule of the contract fared on one table: rows seen, rows that broke it, what happened to them."""

    source: str
    rule: str
    rows: int
    failed: int
    severity: str = "error"


class SourceRead(msgspec.Struct, frozen=True, kw_only=True):
    """One source as it was read: rows, rows kept, a digest of its canonical rows, when."""

    name: str
    kind: str
    rows: int
    kept: int
    digest: str
    read_at: datetime


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable table of examples. `id` is the digest over its canonical rows."""

    id: str
    product: str
    artifact: str
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

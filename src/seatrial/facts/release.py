"""A bundle put in front of traffic, and the gates it passed."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Phase(StrEnum):
    """Where a release stands."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    RETIRED = "retired"
    ROLLED_BACK = "rolled back"


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """One gate: whether it let the release through, and the evidence in words and numbers."""

    gate: str
    passed: bool
    evidence: str
    numbers: dict[str, float | int | str | None] = {}


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """All that is released together, each by digest. `id` is the digest of the rest."""

    id: str
    product: str
    model: str
    model_artifact: str
    product_file: str
    contract: str
    lookups: dict[str, str]
    threshold: float


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle on its way. `share` is the canary's part of the traffic in [0, 1].

    `id` is readable and ordered: r0001, r0002, … within a product. `changed_at` is when the present phase
    or share began. `previous` is the release that was live before this one became so.
    """

    id: str
    product: str
    bundle: Bundle
    phase: Phase
    share: float = 0.0
    created_at: datetime
    changed_at: datetime
    live_from: datetime | None = None
    previous: str | None = None
    gates: tuple[GateResult, ...] = ()
    why: str = ""

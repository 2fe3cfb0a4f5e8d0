"""What `decide` looks at: recorded state only, gathered by the reconciler."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Incident
from seatrial.facts.release import Release


@dataclass(frozen=True)
class Policy:
    """The part of a product file that decisions depend on; durations in seconds, money in the product's unit."""

    shadow_outcomes: int
    canary: tuple[float, ...]
    approve_live: bool
    retrain_on: frozenset[str]
    max_age: float
    at_most: float


@dataclass(frozen=True)
class Trial:
    """A challenger and what its matured rows say, compared row by row with the live release.

    `difference` is the mean daily difference of value per row (challenger minus live), its interval valid at
    every look; `rows` and `days` are what matured since the challenger began, in days that are over, and
    `rows_in_step` since its present phase or share began. Of all its `scored_rows`, matured or not, it left
    `fallback_share` to the fallback.
    """

    release: Release
    difference: Estimate
    rows: int
    days: int
    rows_in_step: int
    scored_rows: int = 0
    fallback_share: float = 0.0


@dataclass(frozen=True)
class Situation:
    """One product at one moment."""

    now: datetime
    policy: Policy
    live: Release | None
    live_trained_to: datetime | None
    trial: Trial | None = None
    incidents: Sequence[Incident] = field(default_factory=tuple)
    last_retrain_at: datetime | None = None
    retraining: bool = False
    approved: frozenset[str] = frozenset()

"""What the product answered: one prediction per request row."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Variant(StrEnum):
    """Which release a unit is assigned to, or is served by."""

    LIVE = "live"
    CANARY = "canary"
    SHADOW = "shadow"
    HOLDOUT = "holdout"


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One answered request row, as it is journaled and later stored in the `predictions` table.

    `assigned` is what the sticky hash chose; `served` is what answered (a breaker or fallback changes the
    second, never the first). `score` is None when the fallback answered. `features` holds every column
    known at the decision (request, lookups, derived), moments left out and dates as text. A shadow's own prediction has
    `assigned = served = "shadow"` and the same `prediction_id` as the answer beside it.
    """

    prediction_id: str
    idempotency_key: str | None
    unit: str
    assigned: Variant
    served: Variant
    product: str
    release: str
    model_digest: str
    key: str
    made_at: datetime
    received_at: datetime
    matured_at: datetime
    features: dict[str, float | int | bool | str | None]
    score: float | None
    decision: bool
    baseline: bool
    propensity: float
    fallback: str | None
    latency_ms: float
    contract_version: str
    trace_id: str | None = None


class PredictionBlock(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Predictions that one release made in one micro-batch, by column: what is journaled.

    All lists have one entry per prediction, and mean what they mean in `Prediction`; moments are microseconds
    since 1970 in UTC. `unit` is None where the keys are the units.
    """

    product: str
    release: str
    model_digest: str
    contract_version: str
    prediction_id: list[str]
    idempotency_key: list[str | None]
    trace_id: list[str | None]
    unit: list[str] | None
    key: list[str]
    assigned: list[Variant]
    served: list[Variant]
    made_at: list[int]
    received_at: list[int]
    matured_at: list[int]
    score: list[float | None]
    decision: list[bool]
    baseline: list[bool]
    propensity: list[float]
    fallback: list[str | None]
    latency_ms: list[float]
    features: dict[str, list[float | int | bool | str | None]]

    def __len__(self) -> int:
        """How many predictions it holds."""
        return len(self.prediction_id)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What turned out, as it was reported: by prediction id or by key. A correction is a new revision.

    `values` holds one value per outcome column of the contract (the label and what value needs besides); dates and
    moments are text in ISO 8601.
    """

    prediction_id: str | None
    key: str | None
    values: dict[str, float | int | bool | str | None]
    known_at: datetime
    received_at: datetime
    revision: int = 0

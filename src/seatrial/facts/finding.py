"""Something observed, with its evidence; and the findings that need action."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec


class Verdict(StrEnum):
    """What a finding says."""

    OK = "ok"
    ALARM = "alarm"
    SHOWN = "shown"
    NOT_ENOUGH_DATA = "not enough data"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One measure over one window. `value`, `lower`, `upper` are in the measure's unit; `e_value` where there is one.

    `SHOWN` marks what is worth seeing but never pages (benign shift).
    """

    id: str
    product: str
    at: datetime
    window_from: datetime
    window_to: datetime
    release: str
    segment: str
    measure: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    e_value: float | None = None
    sample_size: int = 0
    verdict: Verdict
    detail: str = ""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that needs action: `kind` is harm (of the model) or fault (of data or service).

    `began_at` is the estimated start; `cost_per_day` is in the product's unit.
    """

    id: str
    product: str
    release: str
    measure: str
    kind: Literal["harm", "fault"] = "harm"
    cause: str
    began_at: datetime
    detected_at: datetime
    finding: str
    cost_per_day: float | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None

"""What a product earned, row by row added up, against what would have been earned without the model."""

from datetime import datetime

import msgspec

from seatrial.facts.estimate import Estimate


class ReleaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One release's part of a statement: totals in the product's unit, `loss` the mean Brier loss.

    `promised` and `realised` are value per decision: what the validation rows promised, and what came.
    """

    release: str
    decisions: int
    acted: int
    without_outcome: int
    capped: int
    value: Estimate
    baseline_value: Estimate
    advantage: Estimate
    loss: Estimate
    realised: Estimate
    promised: Estimate | None = None


class DayLine(msgspec.Struct, frozen=True, kw_only=True):
    """One day's booked sums, by the decisions' UTC day, and the sums of all days so far."""

    day: str
    decisions: int
    value: float
    baseline_value: float
    cumulative: float
    cumulative_baseline: float


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What answered decisions in [`since`, `until`) were worth, in `unit`.

    `decisions` counts `matured` ones, which are booked, and those `waiting` to mature; all other numbers are over
    matured ones. Totals are over rows with a known outcome; intervals are by day, for as many days again of the
    same kind. `advantage` is value less baseline value, of the same rows. `objectives` are the digests under
    which rows were valued: more than one says that the objective changed in between.
    """

    product: str
    unit: str
    since: datetime | None
    until: datetime | None
    decisions: int
    waiting: int
    matured: int
    acted: int
    without_outcome: int
    capped: int
    coverage: Estimate
    value: Estimate
    baseline_value: Estimate
    advantage: Estimate
    loss: Estimate
    releases: tuple[ReleaseLine, ...]
    days: tuple[DayLine, ...]
    objectives: tuple[str, ...] = ()

"""What a rehearsal found: each policy's value on the same history, and what the loop did on the way."""

from datetime import datetime

import msgspec

from seatrial.facts.estimate import Estimate


class PolicyResult(msgspec.Struct, frozen=True, kw_only=True):
    """One policy's total value over the rehearsed rows, and its advantage over the frozen prototype.

    `policy` is one of no_model, act_always, baseline, frozen, monthly, loop, oracle; `by_month` sums value
    per calendar month of the decision.
    """

    policy: str
    value: Estimate
    advantage: Estimate | None
    acted: int
    by_month: dict[str, float]
    retrainings: int = 0


class LoopEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something the loop did or saw, at its simulated time: incident, retraining, promotion, rollback."""

    at: datetime
    kind: str
    subject: str
    why: str


class RehearsalReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rehearsal. `rows` were answered; `value_per_row` of the loop is the promise the ledger is held to."""

    id: str
    product: str
    at: datetime
    began: datetime
    ended: datetime
    rows: int
    batches: int
    seconds: float
    unit: str
    policies: tuple[PolicyResult, ...]
    events: tuple[LoopEvent, ...]
    counts: dict[str, int]
    value_per_row: Estimate

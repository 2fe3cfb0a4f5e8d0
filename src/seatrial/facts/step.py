"""What the loop does next, decided from recorded state alone."""

from enum import StrEnum

import msgspec


class StepKind(StrEnum):
    """The kinds of steps."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLL_BACK = "roll back"
    RETRAIN = "retrain"
    ASK = "ask"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: what to do, to which release (or none), why, and the numbers behind it."""

    kind: StepKind
    release: str | None = None
    why: str
    numbers: dict[str, float | int | str | None] = {}

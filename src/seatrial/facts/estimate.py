"""A number with its uncertainty: nothing estimated crosses a door without one."""

import msgspec


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """An estimated number with its interval, sample size and method.

    `lower` and `upper` bound the number at `confidence`; both are None when there is too little data to say.
    `n` counts independent units (blocks where rows share shocks), not necessarily rows.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    n: int = 0
    confidence: float = 0.95
    method: str = ""

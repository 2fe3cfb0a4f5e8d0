"""A canary that a server took out of the traffic by itself, because it hurt the service."""

from datetime import datetime

import msgspec


class Ejection(msgspec.Struct, frozen=True, kw_only=True):
    """Which release, why, and what was seen of it in the seconds before.

    `failed` of `rows` rows got no score from it; `seconds` and `live_seconds` are the mean time of a call of it and of
    the live release.
    """

    product: str
    release: str
    reason: str
    at: datetime
    rows: int
    failed: int
    seconds: float
    live_seconds: float

"""How many rows each token may ask for: token buckets, which belong to one process and its one thread."""

import math
from collections.abc import Iterable

from seatrial.facts.token import Quota, Token

Fields = tuple[tuple[str, str], ...]


class Bucket:
    """Rows that are left, filled up steadily; at most one window's worth.

    A request of more rows than the bucket holds is let in when it is full, and leaves a debt: the rate holds.
    """

    __slots__ = ("_at", "_rate", "capacity", "level")

    def __init__(self, capacity: float, seconds: float, at: float) -> None:
        """`capacity` rows in `seconds`; full `at` this moment, in seconds of any steady clock."""
        self.capacity = self.level = capacity
        self._rate, self._at = capacity / seconds, at

    def take(self, rows: int, at: float) -> float:
        """0 after rows were taken; else the seconds after which they could be, and nothing is taken."""
        self.level = min(self.capacity, self.level + max(0.0, at - self._at) * self._rate)
        self._at = max(self._at, at)
        missing = min(rows, self.capacity) - self.level
        # Filling up in many small parts leaves it a rounding error short.
        if missing > 1e-9:
            return missing / self._rate
        self.level -= rows
        return 0.0

    @property
    def seconds_until_full(self) -> float:
        """How long until all rows are there again, if none is taken."""
        return (self.capacity - self.level) / self._rate


class Quotas:
    """The buckets of all tokens that have a quota. Each of `workers` processes gives out its part of it."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._buckets: dict[str, tuple[Quota, Bucket]] = {}

    def bucket(self, token: Token, quota: Quota, at: float) -> Bucket:
        """The token's bucket; a new one when its quota is another than before."""
        known = self._buckets.get(token.id)
        if known is None or known[0] != quota:
            known = (quota, Bucket(quota.rows / self._workers, quota.seconds, at))
            self._buckets[token.id] = known
        return known[1]

    def keep(self, ids: Iterable[str]) -> None:
        """Forget the buckets of all other tokens."""
        kept = set(ids)
        self._buckets = {id: pair for id, pair in self._buckets.items() if id in kept}


def fields(quota: Quota, bucket: Bucket) -> Fields:
    """`RateLimit-Policy` and `RateLimit`, after the IETF's draft: what the token may ask for, and what is left here."""
    left = max(0, math.floor(bucket.level))
    return (
        ("ratelimit-policy", f'"rows";q={quota.rows};w={math.ceil(quota.seconds)}'),
        ("ratelimit", f'"rows";r={left};t={max(0, math.ceil(bucket.seconds_until_full))}'),
    )

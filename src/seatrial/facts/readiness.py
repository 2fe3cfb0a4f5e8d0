"""The readiness score and the executed evidence behind it."""

from datetime import datetime

import msgspec


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """One of the 28 tests of the ML Test Score. `score` is 0, 0.5 or 1; `fix` says what would raise it.

    Source: Breck et al., "The ML Test Score", IEEE Big Data 2017.
    """

    id: str
    section: str
    title: str
    score: float
    evidence: str
    fix: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """A run of all 28 tests. `sections` sums each section (at most 7); `score` is their minimum."""

    id: str
    product: str
    at: datetime
    results: tuple[TestResult, ...]
    sections: dict[str, float]
    score: float
    band: str

"""How a test is marked: 1 for fresh machine evidence with a negative control, less for less.

Source of the scale: Breck et al., "The ML Test Score", IEEE Big Data 2017; freshness and negative control are
our own, stricter, reading of "automated and repeated".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from seatrial.facts.readiness import TestResult

FRESH = timedelta(days=30)
SECTIONS = {"D": "data", "M": "model", "I": "infrastructure", "O": "monitoring"}


@dataclass(frozen=True)
class Proof:
    """What was executed, in words with numbers, and when it last ran.

    `control` is the negative control that was seen to fail, in words; `lacks` what full marks still ask for.
    `controllable` is False where the test is an act whose failure shows by itself.
    """

    words: str
    at: datetime
    control: str = ""
    lacks: str = ""
    controllable: bool = True


@dataclass(frozen=True)
class Criterion:
    """One of the 28 tests: its number, what it asks in our words, and what raises its mark."""

    id: str
    title: str
    fix: str

    def absent(self, why: str) -> TestResult:
        """The mark 0, with the reason."""
        return self._result(0.0, why)

    def mark(self, proof: Proof, now: datetime) -> TestResult:
        """1 with a negative control and nothing lacking, else 0.5; half a point less per 30 days of staleness."""
        full = (bool(proof.control) or not proof.controllable) and not proof.lacks
        age = now - proof.at
        score = max(0.0, (1.0 if full else 0.5) - 0.5 * _steps(age))
        return self._result(score, _words(proof, age))

    def _result(self, score: float, evidence: str) -> TestResult:
        fix = "" if score == 1.0 else self.fix
        return TestResult(
            id=self.id,
            section=SECTIONS[self.id[0]],
            title=self.title,
            score=score,
            evidence=evidence,
            fix=fix,
        )


def _steps(age: timedelta) -> int:
    """How many half points the age costs: none up to 30 days, one up to 60, two beyond."""
    return (age > FRESH) + (age > 2 * FRESH)


def _words(proof: Proof, age: timedelta) -> str:
    parts = [proof.words]
    if proof.controllable:
        parts.append(f"Negative control: {proof.control}" if proof.control else "No negative control yet")
    if proof.lacks:
        parts.append(f"Full marks also ask for {proof.lacks}")
    if age > FRESH:
        parts.append(f"Stale: {age.days} days old, {FRESH.days} at most")
    return ". ".join(parts) + "."

"""What is said of a column that seems to know the outcome."""

from dataclasses import dataclass
from typing import Literal

Mechanism = Literal[
    "outcome in disguise",
    "part of an outcome",
    "time of the outcome",
    "certain outcome",
    "written until the end",
    "counts the wait",
]
Verdict = Literal["refused", "ask"]
MEANING: dict[Mechanism, str] = {
    "outcome in disguise": "it tells nearly all there is to know of the outcome",
    "part of an outcome": "with another column it gives an outcome column exactly",
    "time of the outcome": "it tells when the outcome was known",
    "certain outcome": "where it says this, the outcome is settled",
    "written until the end": "it looks like a default that is overwritten until the outcome is known",
    "counts the wait": "it never exceeds the time until the outcome was known, as if it had been counted until then",
}


@dataclass(frozen=True)
class Suspicion:
    """A column that seems to hold what was known only after the decision.

    `verdict` is `refused` where the numbers leave no likely innocent reading, `ask` where only people can tell.
    """

    column: str
    mechanism: Mechanism
    verdict: Verdict
    evidence: str

    def __str__(self) -> str:
        return f"{self.column}: {MEANING[self.mechanism]}: {self.evidence}"

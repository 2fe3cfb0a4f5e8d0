"""Why a release does worse than promised: realised loss against the loss that its own scores led to expect.

Loss above expectation says that outcomes no longer follow the scores (concept drift, or a calibration that never
held); expectation away from the promise says that other rows come than those promised on (covariate shift): harder
ones, or easier ones with less to earn. Both can be true.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np

from seatrial.facts.estimate import Estimate
from seatrial.measures import blocks
from seatrial.measures.intervals import unknown
from seatrial.observe.days import Day


class Cause(StrEnum):
    """What the gap points to."""

    CONCEPT = "concept drift"
    COVARIATE = "covariate shift"
    BOTH = "concept drift and covariate shift"
    UNCLEAR = "cause unclear"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Realised less expected loss per row, the expected loss per row, both by day, and what they point to."""

    gap: Estimate
    expected: Estimate
    promised: float
    cause: Cause

    @property
    def sentence(self) -> str:
        """The cause, with the numbers that it rests on."""
        reasons = {
            Cause.CONCEPT: "outcomes no longer follow the scores; the rows are as hard as promised",
            Cause.COVARIATE: f"the rows have become {self._harder}; outcomes still follow the scores",
            Cause.BOTH: f"outcomes no longer follow the scores, and the rows have become {self._harder}",
            Cause.UNCLEAR: "neither other rows nor outcomes that no longer follow the scores are beyond chance",
        }
        return (
            f"{self.cause.value}: {reasons[self.cause]} (loss above expectation {written(self.gap)}; "
            f"expected {written(self.expected)}, promised {self.promised:.4g})"
        )

    @property
    def _harder(self) -> str:
        return "harder" if (self.expected.value or 0.0) > self.promised else "easier to foresee"


def explain(days: Sequence[Day], promised_loss: Estimate) -> Gap:
    """What `days` point to, those with scored rows; `UNCLEAR` when neither shift is beyond chance."""
    days = [day for day in days if day.loss_rows]
    gap = _mean([day.loss - day.expected_loss for day in days], days)
    expected = _mean([day.expected_loss for day in days], days)
    promised = promised_loss.value or 0.0
    concept = gap.lower is not None and gap.lower > 0.0
    covariate = _apart(expected, promised_loss)
    return Gap(gap=gap, expected=expected, promised=promised, cause=_cause(concept, covariate))


def written(estimate: Estimate) -> str:
    """An estimate in a sentence, with its interval where there is one."""
    if estimate.value is None:
        return "unknown"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:.4g}"
    return f"{estimate.value:.4g} ({estimate.lower:.4g} to {estimate.upper:.4g})"


def _apart(first: Estimate, second: Estimate) -> bool:
    """Whether two intervals do not meet; a promise without an interval is taken as exact."""
    if first.lower is None or first.upper is None or second.value is None:
        return False
    lower = second.value if second.lower is None else second.lower
    upper = second.value if second.upper is None else second.upper
    return first.lower > upper or first.upper < lower


def _cause(concept: bool, covariate: bool) -> Cause:
    if concept and covariate:
        return Cause.BOTH
    if concept:
        return Cause.CONCEPT
    return Cause.COVARIATE if covariate else Cause.UNCLEAR


def _mean(sums: Sequence[float], days: Sequence[Day]) -> Estimate:
    if not days:
        return unknown(method="ratio by blocks, Student's t")
    return blocks.ratio(np.array(sums), np.array([float(day.loss_rows) for day in days]))

"""Bounded quantities on the unit scale, where betting tests are exact, and back.

A quantity in [low, high] becomes (x - low) / (high - low); what lies outside is cut and counted, since the tests are
valid for the cut quantity only.

Evidence grows with the distance from the tolerated mean as a share of the range: a range far wider than what blocks
ever show (a value range per decision, for daily means) makes a test valid but blind. `usual_range` is the remedy.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from seatrial.measures.inputs import Floats, finite


class Scale(msgspec.Struct, frozen=True):
    """The range [low, high] of a quantity, in its own unit."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range needs low < high, received [{self.low:g}, {self.high:g}]")

    def to_unit(self, values: npt.ArrayLike) -> tuple[Floats, int]:
        """The values in [0, 1], and how many had to be cut to the range."""
        array = finite("values", values)
        cut = int(np.sum((array < self.low) | (array > self.high)))
        return (np.clip(array, self.low, self.high) - self.low) / (self.high - self.low), cut

    def mean_to_unit(self, mean: float) -> float:
        """A mean or tolerance of the quantity on the unit scale."""
        return (mean - self.low) / (self.high - self.low)

    def from_unit(self, share: float) -> float:
        """A number of the unit scale in the quantity's own unit."""
        return self.low + share * (self.high - self.low)


def usual_range(reference: npt.ArrayLike, spread: float = 4.0) -> Scale:
    """The mean of past block values -+ `spread` standard deviations: a range in which harm can be seen.

    Raises:
        ValueError: below two values, or when all are equal.
    """
    array = finite("reference", reference)
    deviation = float(np.std(array, ddof=1)) if array.size > 1 else 0.0
    if deviation == 0.0:
        raise ValueError(
            f"a usual range needs values that differ, received {array.size} without any difference"
        )
    centre = float(array.mean())
    return Scale(centre - spread * deviation, centre + spread * deviation)

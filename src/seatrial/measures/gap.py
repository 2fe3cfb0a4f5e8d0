"""Concept drift told from covariate shift: realised loss against the loss that calibrated scores led to expect.

D = loss - expected loss, in [-1, 1]; null: E[D | past] <= tolerance. While p stays calibrated D averages 0 however the
inputs move; when the relation of inputs to outcome changes, it rises. An alarm therefore says concept drift, or a
calibration that never held; a worse estimate without an alarm says covariate shift. Tested by the e-detector.
"""

import msgspec
import numpy.typing as npt

from seatrial.measures import edetector
from seatrial.measures.blocks import block_means
from seatrial.measures.bounded import Scale
from seatrial.measures.edetector import EDetector
from seatrial.measures.inputs import Floats, same_length, within_unit

WIDEST = Scale(-1.0, 1.0)


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """State of the gap test: an e-detector on D, put on the unit scale of `scale`."""

    tolerance: float
    scale: Scale
    detector: EDetector


def start(tolerance: float, scale: Scale = WIDEST) -> Gap:
    """A gap test that has seen nothing; `tolerance` >= 0, in units of the loss, inside `scale`.

    The widest scale is valid for any blocks; with `bounded.usual_range` of the gaps of past blocks small gaps are found
    far sooner, and what lies outside is cut.
    """
    if not (tolerance >= 0.0 and scale.low < tolerance < scale.high):
        raise ValueError(
            f"the tolerated gap must be at least 0 and inside [{scale.low:g}, {scale.high:g}], received {tolerance!r}"
        )
    return Gap(tolerance=tolerance, scale=scale, detector=edetector.start(scale.mean_to_unit(tolerance)))


def gaps(
    losses: npt.ArrayLike, expected_losses: npt.ArrayLike, blocks: npt.ArrayLike | None = None
) -> Floats:
    """The mean gap of each block, in the sorted order of the block ids; both losses in [0, 1] per row."""
    loss, expected = within_unit("losses", losses), within_unit("expected_losses", expected_losses)
    same_length(losses=loss, expected_losses=expected)
    return block_means(loss - expected, blocks)


def update(
    state: Gap, losses: npt.ArrayLike, expected_losses: npt.ArrayLike, blocks: npt.ArrayLike | None = None
) -> Gap:
    """The state after more matured rows; a block must come whole, in one call."""
    unit, _ = state.scale.to_unit(gaps(losses, expected_losses, blocks))
    return msgspec.structs.replace(state, detector=edetector.update_all(state.detector, unit.tolist()))


def alarm(state: Gap, threshold: float) -> bool:
    """Whether the evidence for a gap above the tolerance has reached `threshold` (`edetector.threshold_for`)."""
    return edetector.alarm(state.detector, threshold)

"""What a release must keep: its model's promise and the tolerated harm, as limits for the detectors."""

import math

import msgspec

from seatrial.errors import DataRefused
from seatrial.facts.estimate import Estimate
from seatrial.facts.model import Model
from seatrial.measures.bounded import Scale
from seatrial.measures.probability import student_quantile
from seatrial.product.product import Product

# A tenth above the promise's upper bound is no reason to wake anyone.
LOSS_TOLERANCE = 0.1
_CEILING_DEVIATIONS = 4.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The highest tolerated Brier loss and lowest tolerated value per row, in their units; the value's scale.

    The value of a day is tested on [`lowest`, `ceiling`]: a day above the ceiling counts as the ceiling.
    """

    loss: float
    value: float
    lowest: float
    ceiling: float
    rows_per_day: float

    @property
    def value_null(self) -> float:
        """The highest tolerated mean shortfall, on the unit scale."""
        return _inside(1.0 - Scale(self.lowest, self.ceiling).mean_to_unit(self.value))

    def shortfall(self, mean_value: float) -> float:
        """A day's mean value as a shortfall from the ceiling, on the unit scale: 0 at it, 1 at the lowest value."""
        unit = Scale(self.lowest, self.ceiling).mean_to_unit(mean_value)
        return min(1.0, max(0.0, 1.0 - unit))


def limits(product: Product, model: Model) -> Limits:
    """The limits that follow from the promise and the product's tolerated harm per day.

    Loss: a tenth above the upper bound of the promised loss. Value: the promise's lower bound less the tolerated harm
    per day, spread over the rows of a validation day.

    The value range alone would make a poor scale: single decisions range widely, means of days do not, and bets are
    bounded by the scale. The ceiling is therefore four standard deviations of a validation day above the promise. The
    bound on false alarms holds for days so capped: brilliant days do not pay for a poor time.

    Raises:
        DataRefused: when the model promises no value or no loss.
    """
    if model.promise.value is None or model.promised_loss.value is None:
        raise DataRefused(
            f"model {model.id} promises no value or no loss, so nothing can be watched; "
            "expected both from its validation rows: train it anew with more matured rows"
        )
    lowest, highest = product.objective.section.value_range
    rows_per_day = model.validation_rows / max(1, model.promise.n)
    floor = _lower(model.promise) - product.file.observe.harm_tolerance / max(1.0, rows_per_day)
    return Limits(
        loss=_inside(_upper(model.promised_loss) * (1.0 + LOSS_TOLERANCE)),
        value=floor,
        lowest=lowest,
        ceiling=_ceiling(model.promise, floor, lowest, highest),
        rows_per_day=rows_per_day,
    )


def _ceiling(promise: Estimate, floor: float, lowest: float, highest: float) -> float:
    deviation = _day_deviation(promise)
    if deviation is None or promise.value is None:
        return highest
    # Never so near the floor that an ordinary day would count as a disaster or as nothing at all.
    above = max(promise.value + _CEILING_DEVIATIONS * deviation, floor + 0.01 * (highest - lowest))
    return min(highest, above)


def _day_deviation(promise: Estimate) -> float | None:
    """The standard deviation of a day's mean, from the interval of the mean of `n` days."""
    if promise.lower is None or promise.upper is None or promise.n < 2:
        return None
    reach = (promise.upper - promise.lower) / 2.0
    return reach / student_quantile(0.5 + promise.confidence / 2.0, promise.n - 1) * math.sqrt(promise.n)


def _lower(estimate: Estimate) -> float:
    return estimate.lower if estimate.lower is not None else float(estimate.value or 0.0)


def _upper(estimate: Estimate) -> float:
    return estimate.upper if estimate.upper is not None else float(estimate.value or 0.0)


def _inside(mean: float) -> float:
    """A mean that a bet can test: strictly between 0 and 1."""
    return min(0.999, max(0.001, mean))

"""The rows that judge: their outcomes, and what acting or not on each of them is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.errors import TrainingFailed
from seatrial.facts.estimate import Estimate
from seatrial.measures.blocks import block_index, mean
from seatrial.measures.inputs import Booleans, Floats, Integers
from seatrial.measures.threshold import best_threshold
from seatrial.product.features import encode
from seatrial.product.product import Product

_FOLDS = 5


@dataclass(frozen=True)
class Validation:
    """Validation rows. `reached` and `missed`: the value of each row when its score is high or low enough."""

    product: Product
    frame: pl.DataFrame
    inputs: Mapping[str, npt.NDArray[Any]]
    labels: Booleans
    blocks: Integers
    reached: Floats
    missed: Floats

    def values(self, decision: pl.Series) -> Floats:
        """The value of each row under a decision."""
        return _values(self.product, self.frame, decision)

    def threshold(self, scores: Floats) -> float:
        """The product's threshold: as declared, or the one of the highest value on these rows."""
        return _threshold(self.product, scores, self.reached, self.missed)

    def promise(self, scores: Floats) -> Estimate:
        """The value per row to expect of these scores, each block under a threshold that others chose.

        The best value on the rows that chose the threshold would promise too much.
        """
        index, count = block_index(self.blocks, self.labels.size)
        folds = index % min(_FOLDS, count)
        values = np.empty(self.labels.size)
        for fold in range(min(_FOLDS, count)):
            inside = folds == fold
            # One block alone has no others.
            others = ~inside if count > 1 else inside
            threshold = _threshold(self.product, scores[others], self.reached[others], self.missed[others])
            rows = self.frame.filter(pl.Series(inside))
            decision = self.product.decide(rows, pl.Series(scores[inside]), threshold)
            values[inside] = _values(self.product, rows, decision)
        return mean(values, self.blocks)


def make_validation(product: Product, rows: pl.DataFrame) -> Validation:
    """The validation rows whose value is known either way. Raises TrainingFailed when there is none."""
    values = pl.DataFrame(
        {
            str(acted): product.value(rows, pl.repeat(acted, rows.height, eager=True))["value"]
            for acted in (True, False)
        }
    )
    known = values.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    frame = rows.filter(known)
    if frame.is_empty():
        raise TrainingFailed(
            f"training {product.name}: the value is unknown for all {rows.height} validation rows; the "
            f"objective reads {', '.join(sorted(product.objective.value.reads))}, of which some are null"
        )
    # A decision may ask more than a score; these two are what the score can still choose between.
    reached = product.decide(frame, _constant(1.0, frame.height), 0.0)
    missed = product.decide(frame, _constant(0.0, frame.height), 1.0)
    return Validation(
        product=product,
        frame=frame,
        inputs=encode(frame, product.features),
        labels=frame[product.label].to_numpy(),
        # Numbers in the order of time: sorting them is far cheaper than sorting names.
        blocks=product.block(frame[product.made_at]).rank("dense").cast(pl.Int64).to_numpy(),
        reached=_values(product, frame, reached),
        missed=_values(product, frame, missed),
    )


def checked_scores(scores: Floats, who: str) -> Floats:
    """The scores. Raises TrainingFailed when one is no probability."""
    broken = int(np.sum(~((scores >= 0.0) & (scores <= 1.0))))
    if broken:
        raise TrainingFailed(
            f"{who}: expected probabilities between 0 and 1, {broken} of {scores.size} scores are not"
        )
    return scores


def _threshold(product: Product, scores: Floats, reached: Floats, missed: Floats) -> float:
    declared = product.objective.section.threshold
    return best_threshold(scores, reached, missed).threshold if declared == "auto" else declared


def _values(product: Product, frame: pl.DataFrame, decision: pl.Series) -> Floats:
    return product.value(frame, decision)["value"].to_numpy()


def _constant(score: float, rows: int) -> pl.Series:
    return pl.repeat(score, rows, dtype=pl.Float64, eager=True)

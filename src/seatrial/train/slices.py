"""Where the model does well and where it does not: loss and value per group of the validation rows."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from seatrial.errors import TrainingFailed
from seatrial.facts.model import Slice
from seatrial.measures.blocks import mean
from seatrial.measures.inputs import Booleans, Floats
from seatrial.product.product import Product
from seatrial.train.validation import Validation

SMALLEST = 50


def check_slices(product: Product) -> None:
    """Nothing, when every slice is a column that is known at the decision. Raises TrainingFailed otherwise."""
    unknown = [name for name in product.file.train.slices if name not in product.columns]
    if unknown:
        raise TrainingFailed(
            f"train.slices: no column {', '.join(unknown)} is known at the decision; "
            f"choose among {', '.join(product.columns)}"
        )


def slices(validation: Validation, values: Floats, losses: Floats) -> tuple[Slice, ...]:
    """Mean value and mean Brier loss of each group with at least 50 rows, per column, the largest groups first."""
    found: list[Slice] = []
    for column in validation.product.file.train.slices:
        groups = validation.frame[column].cast(pl.String).fill_null("missing")
        found += [
            _slice(validation, column, group, (groups == group).to_numpy(), (values, losses))
            for group in _large(groups)
        ]
    return tuple(found)


def _large(groups: pl.Series) -> Sequence[str]:
    counted = groups.alias("group").value_counts().filter(pl.col("count") >= SMALLEST)
    return counted.sort(["count", "group"], descending=[True, False])["group"].to_list()


def _slice(
    validation: Validation, column: str, group: str, inside: Booleans, measured: tuple[Floats, Floats]
) -> Slice:
    values, losses = (array[inside] for array in measured)
    blocks = validation.blocks[inside]
    return Slice(
        column=column,
        group=group,
        rows=int(np.sum(inside)),
        loss=mean(losses, blocks),
        value=mean(values, blocks),
    )

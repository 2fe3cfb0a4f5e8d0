"""The newest part of history validates, the older part trains; no block of rows that share shocks is in both.

Nor does a row train whose outcome was still open when validation began: who decided then could not know it.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from seatrial.errors import TrainingFailed
from seatrial.measures.inputs import Integers
from seatrial.product.product import MATURED_AT, Product


@dataclass(frozen=True)
class Split:
    """Rows to fit on, and newer rows to judge on; `embargoed` counts the older rows that are in neither."""

    training: pl.DataFrame
    validation: pl.DataFrame
    embargoed: int


def split_by_time(product: Product, examples: pl.DataFrame) -> Split:
    """The examples cut between two blocks, so near to the product's share of validation rows as blocks allow.

    Of the older rows only those train that had matured when the first newer one was made. Raises TrainingFailed
    when all examples lie in one block, none trains, or one side has a single kind of outcome.
    """
    blocks = product.block(examples[product.made_at])
    sizes = blocks.value_counts().sort("block")
    if sizes.height < 2:
        raise TrainingFailed(
            f"training {product.name}: expected matured examples of at least two days, so that one can "
            f"validate the other; found {examples.height} of {sizes.height} day(s)"
        )
    first = sizes["block"][_cut(sizes["count"].to_numpy(), product.file.train.validate_share)]
    split = _parted(product, examples.filter(blocks < first), examples.filter(blocks >= first))
    for part, rows in (("training", split.training), ("validation", split.validation)):
        _check_outcomes(product, part, rows)
    return split


def _parted(product: Product, older: pl.DataFrame, newer: pl.DataFrame) -> Split:
    begin = newer.select(pl.col(product.made_at).min()).item()
    training = older.filter(pl.col(MATURED_AT) <= begin)
    if training.is_empty():
        raise TrainingFailed(
            f"training {product.name}: expected older rows whose outcome was known when validation began at {begin}; "
            f"of {older.height} none had matured by then; wait for more history"
        )
    return Split(training, newer, older.height - training.height)


def _cut(sizes: Integers, share: float) -> int:
    """The block with which validation begins, at least one block on either side."""
    newer = np.cumsum(sizes[::-1])[::-1]
    return 1 + int(np.argmin(np.abs(newer[1:] - share * sizes.sum())))


def _check_outcomes(product: Product, part: str, rows: pl.DataFrame) -> None:
    positives = int(rows[product.label].sum())
    if positives in {0, rows.height}:
        raise TrainingFailed(
            f"training {product.name}: expected both outcomes of {product.label} among the {rows.height} "
            f"{part} rows, found {product.label}={bool(positives)} in all of them; wait for more history"
        )

"""Examples back from stored predictions: each column under its own name and in its contract type again."""

from collections.abc import Iterable

import polars as pl

from seatrial.contract.types import polars_type
from seatrial.errors import DataRefused
from seatrial.product.product import Product


def stored_columns(product: Product, predictions: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The named columns of `product.columns` for each row of the `predictions` table, in order, and its `made_at`.

    Raises DataRefused, naming every column that the predictions do not hold.
    """
    # The moment is always there: a table without columns would forget how many rows it has.
    wanted = sorted({product.made_at, *names})
    stored = {name: _stored_as(product, name) for name in wanted}
    missing = [name for name in wanted if stored[name] not in predictions.columns]
    if missing:
        raise DataRefused(
            f"predictions of {product.name} lack {', '.join(f'feature_{name}' for name in missing)}; "
            "the journal must hold every column of the example that the value reads"
        )
    return predictions.select(
        pl.col(stored[name]).cast(polars_type(product.columns[name])).alias(name) for name in wanted
    )


def outcome_types(product: Product) -> dict[str, str]:
    """The contract type of each outcome column: the label first."""
    columns = {column.name: column.type for column in product.request.columns}
    return {name: columns[name] for name in product.outcome_columns}


def value_columns(product: Product) -> frozenset[str]:
    """The columns known at the decision that the value expression reads."""
    return product.objective.value.reads - {"decision", *product.outcome_columns}


def _stored_as(product: Product, name: str) -> str:
    fixed = {product.made_at: "made_at", product.key: "key"}
    return fixed.get(name, f"feature_{name}")

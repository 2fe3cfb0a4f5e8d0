"""Examples: rows with what was known when the decision was made, and later their outcome."""

import polars as pl

from seatrial.data.read import SourceTables
from seatrial.product.lookups import join, prepare
from seatrial.product.product import MATURED_AT, Product

KNOWN_AT = "known_at"


def build_examples(product: Product, tables: SourceTables) -> pl.DataFrame:
    """One row per row of the examples' source, sorted by decision time, then key.

    Columns: `product.columns` (request, lookups as known at the decision, derived), the outcome columns, then
    `known_at` and `matured_at`.
    """
    rows = tables.frames[product.file.examples.source]
    for name, prepared in lookup_tables(product, tables).items():
        rows = join(rows, prepared, product.lookup(name), product.made_at)
    examples = product.derived(rows).select(
        *product.columns,
        *product.outcome_columns,
        pl.col(product.file.examples.known_at).alias(KNOWN_AT),
        MATURED_AT,
    )
    return examples.sort(product.made_at, product.key, maintain_order=True)


def lookup_tables(product: Product, tables: SourceTables) -> dict[str, pl.DataFrame]:
    """The prepared table of every lookup, by its name."""
    return {
        name: prepare(tables.frames[product.lookup_source(name)], lookup, product.lookup_names[name])
        for name, lookup in product.file.examples.lookups.items()
    }

"""Examples: rows with what was known when the decision was made, and later their outcome."""

import msgspec
import polars as pl

from seatrial.contract.model import ColumnContract, TableContract, TypeName
from seatrial.data.read import SourceTables
from seatrial.product.lookups import join_all, prepare
from seatrial.product.product import MATURED_AT, Product

KNOWN_AT = "known_at"


def build_examples(
    product: Product, tables: SourceTables, lookups: dict[str, pl.DataFrame] | None = None
) -> pl.DataFrame:
    """One row per row of the examples' source, sorted by decision time, then key.

    Columns: `product.columns` (request, lookups as known at the decision, derived), the outcome columns, then
    `known_at` and `matured_at`. `lookups` are the prepared tables, made anew where they are not given.
    """
    prepared = lookup_tables(product, tables) if lookups is None else lookups
    rows = join_all(
        tables.frames[product.file.examples.source],
        ((table, product.lookup(name)) for name, table in prepared.items()),
        product.made_at,
    )
    examples = product.derived(rows).select(
        *product.columns,
        *product.outcome_columns,
        pl.col(product.file.examples.known_at).alias(KNOWN_AT),
        MATURED_AT,
    )
    return examples.sort(product.made_at, product.key, maintain_order=True)


def examples_contract(product: Product) -> TableContract:
    """What is agreed of the columns of examples: those of their sources, under the names that they have here.

    A derived column is as sensitive as the first sensitive column that it reads.
    """
    request = {column.name: column for column in product.request.columns}
    looked_up = {
        new: msgspec.structs.replace(column, name=new, unique=False)
        for name, names in product.lookup_names.items()
        for old, new in names.items()
        if (table := product.contract.table(product.lookup_source(name))) and (column := table.column(old))
    }
    known = {**request, **looked_up}
    for name, expression in product.derive.items():
        classes = (known[read].classification for read in sorted(expression.reads) if read in known)
        known[name] = _derived(name, product.columns[name], next(filter(None, classes), None))
    known_at = msgspec.structs.replace(request[product.file.examples.known_at], name=KNOWN_AT)
    matured_at = ColumnContract(name=MATURED_AT, type="timestamp")
    columns = [known[name] for name in (*product.columns, *product.outcome_columns)]
    return TableContract(name="examples", columns=(*columns, known_at, matured_at))


def _derived(name: str, type_name: str, classification: str | None) -> ColumnContract:
    types: dict[str, TypeName] = {"float": "float", "int": "int", "bool": "bool", "timestamp": "timestamp"}
    return ColumnContract(name=name, type=types.get(type_name, "string"), classification=classification)


def lookup_tables(product: Product, tables: SourceTables) -> dict[str, pl.DataFrame]:
    """The prepared table of every lookup, by its name."""
    return {
        name: prepare(_rows(tables, product.lookup_source(name)), lookup, product.lookup_names[name])
        for name, lookup in product.file.examples.lookups.items()
    }


def _rows(tables: SourceTables, source: str) -> pl.DataFrame:
    return tables.histories.get(source, tables.frames[source])

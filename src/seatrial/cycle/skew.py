"""The skew of a product in its workspace: answers as stored, sources as they are now."""

import hashlib

import polars as pl

from seatrial.contract.types import TIMESTAMP
from seatrial.cycle.drain import predictions_schema
from seatrial.cycle.settle import stored_rows
from seatrial.cycle.tools import History
from seatrial.data.causes import came_in
from seatrial.data.changes import CHANGE, LOAD
from seatrial.data.examples import build_examples, lookup_tables
from seatrial.data.loads import last_load, loads_of, rows_ever
from seatrial.data.read import stored_tables
from seatrial.data.skew import Skew, measure_skew
from seatrial.facts.release import Release
from seatrial.facts.tables import table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.lookups import TOLD
from seatrial.product.product import Product


def skew_of(workspace: Workspace, product: Product, history: History | None = None) -> Skew:
    """The skew of all answers that are stored, against a history; by default, the sources as they are stored.

    Raises NotFound when nothing is stored of a source.
    """
    table = table_name(product.name, "predictions")
    found = history or stored_history(workspace, product)
    examples = product.file.examples
    return measure_skew(
        product,
        stored_rows(workspace.tables.read(table), predictions_schema(product)),
        found.examples,
        found.lookups,
        arrivals={
            name: _came_in(workspace, product, product.lookup_source(name), list(lookup.on), lookup.as_of)
            for name, lookup in examples.lookups.items()
        },
        requests=_came_in(workspace, product, examples.source, [examples.key], None),
        other_files=_other_files(workspace, product),
    )


def stored_history(workspace: Workspace, product: Product) -> History:
    """The history as it is stored; no source is read. Raises NotFound when nothing is stored of one."""
    tables = stored_tables(product, workspace)
    lookups = lookup_tables(product, tables)
    return History(tables=tables, examples=build_examples(product, tables, lookups), lookups=lookups)


def _came_in(
    workspace: Workspace, product: Product, source: str, on: list[str], as_of: str | None
) -> pl.DataFrame:
    """When the rows of a source came in, by `on` and, where there is one, event time."""
    told = [] if as_of is None else [pl.col(as_of).cast(TIMESTAMP).alias(TOLD)]
    identity = [*on, *([TOLD] if told else [])]
    with workspace.metadata.begin() as transaction:
        last = last_load(transaction, product.name, source)
        read_at = {load.number: load.read_at for load in loads_of(transaction, product.name, source)}
    assert last is not None  # a history of the source was read
    changes = rows_ever(workspace.tables, last)
    times = pl.DataFrame(
        {LOAD: list(read_at), "__at": list(read_at.values())},
        schema={LOAD: changes.schema[LOAD], "__at": TIMESTAMP},
    )
    added = changes.filter(pl.col(CHANGE) > 0).join(times, on=LOAD, how="inner")
    return came_in(added.select(*on, *told, "__at"), identity, "__at")


def _other_files(workspace: Workspace, product: Product) -> frozenset[str]:
    """The releases that answer by another product file or contract than the present one."""
    with workspace.metadata.begin() as transaction:
        releases = transaction.all(Release, product.name)
    texts = tuple(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for text in product.texts)
    return frozenset(one.id for one in releases if (one.bundle.product_file, one.bundle.contract) != texts)

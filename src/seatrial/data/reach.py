"""Where a value of a column can lie: in which columns of which sources, and what is made of them."""

from dataclasses import dataclass

from seatrial.contract.model import TableContract
from seatrial.errors import NotFound
from seatrial.product.product import Product

# A source and one of its columns.
_Place = tuple[str, str]


@dataclass(frozen=True)
class Reach:
    """`sources` maps sources to columns; `examples` are columns of examples, outcomes among them.

    `lookups` maps lookups to columns of their tables; `is_key` tells whether the product's key is among them.
    """

    sources: dict[str, tuple[str, ...]]
    examples: tuple[str, ...]
    lookups: dict[str, tuple[str, ...]]
    is_key: bool


def reach_of(product: Product, column: str) -> Reach:
    """Where values of a column lie. The column may be `key`, a column, or `source.column` for that source alone.

    Columns that refer to it, or that it refers to (foreign keys of the contract, keys of lookups), hold the same
    values under their own names. Raises NotFound when no source has the column.
    """
    places = _related(product, _named(product, column))
    sources: dict[str, tuple[str, ...]] = {}
    for source, name in sorted(places):
        sources[source] = (*sources.get(source, ()), name)
    own = sources.get(product.file.examples.source, ())
    lookups = {name: _in_lookup(product, name, sources) for name in product.file.examples.lookups}
    joined = {one for name, columns in lookups.items() for one in columns if one in _brought(product, name)}
    return Reach(
        sources=sources,
        examples=tuple(sorted({*own, *joined})),
        lookups={name: columns for name, columns in lookups.items() if columns},
        is_key=product.key in own,
    )


def declared(product: Product, reach: Reach) -> TableContract:
    """The contract of the first table with the column: the examples' one, if it has it."""
    first = min(reach.sources, key=lambda name: name != product.file.examples.source)
    table = product.contract.table(first)
    assert table is not None  # the reach is made from the contract
    return table


def _named(product: Product, column: str) -> set[_Place]:
    if column == "key" and product.request.column("key") is None:
        return {(product.request.name, product.key)}
    source, _, name = column.rpartition(".")
    tables = [table for table in product.contract.tables if source in ("", table.name)]
    found = {(table.name, name) for table in tables if table.column(name) is not None}
    if not found:
        known = sorted({one.name for table in product.contract.tables for one in table.columns})
        raise NotFound(
            f"{product.name}: no source has a column {column}; expected `key`, a column or `source.column`, "
            f"of {', '.join(known)}"
        )
    return found


def _related(product: Product, places: set[_Place]) -> set[_Place]:
    """The places, with all that refer to them or that they refer to, directly or through others."""
    pairs = _references(product)
    found = set(places)
    while more := {other for one, other in pairs if one in found} - found:
        found |= more
    return found


def _references(product: Product) -> set[tuple[_Place, _Place]]:
    """Pairs of columns that hold the same values, each pair both ways."""
    pairs: set[tuple[_Place, _Place]] = set()
    for table in product.contract.tables:
        for key in table.foreign_keys:
            for mine, theirs in zip(key.columns, key.to, strict=True):
                pairs.add(((key.table, theirs), (table.name, mine)))
    brought = _origins(product)
    for name, lookup in product.file.examples.lookups.items():
        own = ((product.lookup_source(name), column) for column in lookup.on)
        pairs |= {(brought[column], (source, column)) for source, column in own if column in brought}
    return pairs | {(other, one) for one, other in pairs}


def _origins(product: Product) -> dict[str, _Place]:
    """Where each column of an example comes from; derived ones come from none."""
    found = {
        new: (product.lookup_source(name), old)
        for name, names in product.lookup_names.items()
        for old, new in names.items()
    }
    return found | {column.name: (product.request.name, column.name) for column in product.request.columns}


def _in_lookup(product: Product, name: str, sources: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    columns = sources.get(product.lookup_source(name), ())
    lookup, names = product.lookup(name), product.lookup_names[name]
    return tuple(
        [one for one in columns if one in lookup.on] + [names[one] for one in columns if one in names]
    )


def _brought(product: Product, name: str) -> set[str]:
    return set(product.lookup_names[name].values())

"""Where a value of a column can lie: in which columns of which sources, and what is made of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from seatrial.contract.model import Contract, TableContract
from seatrial.contract.odcs import read_contract
from seatrial.errors import NotFound
from seatrial.facts.load import Load
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product

# A source and one of its columns.
_Place = tuple[str, str]


@dataclass(frozen=True)
class Reach:
    """`sources` maps sources to columns; `examples` are columns of examples, outcomes among them.

    `lookups` maps lookups to columns of their tables; `is_key` tells whether the product's key is among them.
    `tables` are the contracts of all sources, today's before those of earlier loads: columns that were renamed or
    dropped, and sources that are declared no more, are in `sources` too.
    """

    sources: dict[str, tuple[str, ...]]
    examples: tuple[str, ...]
    lookups: dict[str, tuple[str, ...]]
    is_key: bool
    tables: tuple[TableContract, ...]

    def versions(self, source: str) -> list[TableContract]:
        """The contracts of a source, today's first."""
        return [table for table in self.tables if table.name == source]


def contracts_before(workspace: Workspace, product: Product) -> tuple[Contract, ...]:
    """The contracts that the product's loads were checked against, oldest first, without today's."""
    with workspace.metadata.begin() as transaction:
        stored = dict.fromkeys(load.contract for load in transaction.all(Load, product.name))
    found = (workspace.artifacts.get(one).decode() for one in stored if workspace.artifacts.has(one))
    return tuple(read_contract(text) for text in found if text != product.texts[1])


def reach_of(product: Product, column: str, before: Iterable[Contract] = ()) -> Reach:
    """Where values of a column lie. The column may be `key`, a column, or `source.column` for that source alone.

    Columns that refer to it, or that it refers to (foreign keys of the contracts, keys of lookups), hold the same
    values under their own names. `before` are earlier contracts: what they declare is reached too, and of a column
    that is declared no more what was declared in its place. Raises NotFound when no source has or had the column.
    """
    earlier = [table for contract in before for table in contract.tables]
    tables = tuple(_distinct([*product.contract.tables, *reversed(earlier)]))
    named = _named(product, tables, column)
    places = _related(product, tables, named | _heirs(product, tables, named))
    sources: dict[str, tuple[str, ...]] = {}
    for source, name in sorted(places):
        sources[source] = (*sources.get(source, ()), name)
    lookups = {name: _in_lookup(product, name, sources) for name in product.file.examples.lookups}
    joined = {one for name, columns in lookups.items() for one in columns if one in _brought(product, name)}
    # Examples may have been made from a source that is declared no more.
    made_from = [name for name in sources if _makes_examples(product, name)]
    return Reach(
        sources=sources,
        examples=tuple(sorted({*(one for name in made_from for one in sources[name]), *joined})),
        lookups={name: columns for name, columns in lookups.items() if columns},
        is_key=any(_is_key(product, tables, place) for place in places),
        tables=tables,
    )


def declared(product: Product, reach: Reach) -> TableContract:
    """The contract of the first table with the column: today's before earlier ones, the examples' before others."""
    examples, today = product.file.examples.source, product.contract.tables
    having = [table for table in reach.tables if _columns_of(table) & {*reach.sources.get(table.name, ())}]
    return min(having, key=lambda table: (table not in today, table.name != examples))


def _distinct(tables: Iterable[TableContract]) -> list[TableContract]:
    found: list[TableContract] = []
    for table in tables:
        if table not in found:
            found.append(table)
    return found


def _columns_of(table: TableContract) -> set[str]:
    return {column.name for column in table.columns}


def _makes_examples(product: Product, source: str) -> bool:
    return source == product.file.examples.source or product.contract.table(source) is None


def _is_key(product: Product, tables: Iterable[TableContract], place: _Place) -> bool:
    """Whether a column is the product's key, or was under an earlier contract."""
    source, name = place
    if place == (product.file.examples.source, product.key):
        return True
    columns = [table.column(name) for table in tables if table.name == source]
    return _makes_examples(product, source) and any(one is not None and one.role == "key" for one in columns)


def _named(product: Product, tables: tuple[TableContract, ...], column: str) -> set[_Place]:
    if column == "key" and product.request.column("key") is None:
        return {(product.request.name, product.key)}
    source, _, name = column.rpartition(".")
    asked = [table for table in tables if source in ("", table.name)]
    found = {(table.name, name) for table in asked if table.column(name) is not None}
    if not found:
        known = sorted({one.name for table in tables for one in table.columns})
        raise NotFound(
            f"{product.name}: no source has a column {column}; expected `key`, a column or `source.column`, "
            f"of {', '.join(known)}"
        )
    return found


def _heirs(product: Product, tables: tuple[TableContract, ...], named: set[_Place]) -> set[_Place]:
    """Columns that may be the named ones under a new name: of the same source, declared since these are not."""
    found: set[_Place] = set()
    for source, name in named:
        today = product.contract.table(source)
        if today is not None and today.column(name) is None:
            had = [table for table in tables if table.name == source and table.column(name) is not None]
            known = {one for table in had for one in _columns_of(table)}
            new = (one for one in today.columns if one.type in ("string", "int") and one.name not in known)
            found |= {(source, one.name) for one in new}
    return found


def _related(product: Product, tables: Iterable[TableContract], places: set[_Place]) -> set[_Place]:
    """The places, with all that refer to them or that they refer to, directly or through others."""
    pairs = _references(product, tables)
    found = set(places)
    while more := {other for one, other in pairs if one in found} - found:
        found |= more
    return found


def _references(product: Product, tables: Iterable[TableContract]) -> set[tuple[_Place, _Place]]:
    """Pairs of columns that hold the same values, each pair both ways."""
    pairs: set[tuple[_Place, _Place]] = set()
    for table in tables:
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

"""Which columns of which sources a column of an example comes from, as the product file declares it."""

from collections.abc import Iterator

import msgspec

from seatrial.product.product import MATURED_AT, Product

DELIVERED, LOOKED_UP, KEY, DERIVED = "delivered", "looked up", "key of the lookup", "derived"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One column of one source that an example's column comes from.

    `how` is delivered, looked up, key of the lookup (it chose the row, and is no part of the value) or derived;
    `told` names the lookup or holds the expression.
    """

    source: str
    column: str
    how: str
    told: str = ""


def column_origins(product: Product) -> dict[str, tuple[Origin, ...]]:
    """The origins of every column of an example that the product file tells of; each named by its source."""
    found = dict(_declared(product))
    # In the order of the file: a derived column may read one that was derived before it.
    for name, expression in (product.derive | {MATURED_AT: product.matured_at}).items():
        found[name] = tuple(
            Origin(source=origin.source, column=origin.column, how=DERIVED, told=expression.text)
            for read in sorted(expression.reads)
            for origin in found.get(read, ())
            if origin.how != KEY
        )
    return found


def _declared(product: Product) -> Iterator[tuple[str, tuple[Origin, ...]]]:
    source = product.file.examples.source
    for column in product.request.columns:
        yield column.name, (Origin(source=source, column=column.name, how=DELIVERED),)
    for lookup, names in product.lookup_names.items():
        table, told = product.lookup_source(lookup), lookup
        keys = [Origin(source=table, column=key, how=KEY, told=told) for key in product.lookup(lookup).on]
        for theirs, name in names.items():
            yield name, (Origin(source=table, column=theirs, how=LOOKED_UP, told=told), *keys)

"""Which columns of a product's own tables hold classified values, under the names that they have there."""

from collections.abc import Collection

from seatrial.contract.masking import sensitive, sensitive_anywhere
from seatrial.product.product import Product

_PREFIXES = ("feature_", "outcome_")
_KEYS = ("key", "unit")


def hidden_in_examples(product: Product) -> frozenset[str]:
    """Names of columns of examples whose values are shown nowhere.

    They are the classified ones of any source, lookups under the names that they get, and what is derived from
    them: an expression may give its column away.
    """
    hidden = set(sensitive_anywhere(product.contract))
    for name, renamed in product.lookup_names.items():
        table = product.contract.table(product.lookup_source(name))
        hidden |= {renamed[column] for column in sensitive(table) if column in renamed} if table else set()
    for name, expression in product.derive.items():
        if expression.reads & hidden:
            hidden.add(name)
    return frozenset(hidden)


def hidden_in_books(product: Product, columns: Collection[str]) -> frozenset[str]:
    """The same for predictions, outcomes and the ledger, of whose `columns` some are named after examples'."""
    hidden = hidden_in_examples(product)
    found = {name for name in columns for prefix in _PREFIXES if name.removeprefix(prefix) in hidden}
    found |= {name for name in _KEYS if name in columns and product.key in hidden}
    return frozenset(found | ({"label"} & set(columns) if product.label in hidden else set()))

"""Errors that nobody foresaw, as logs may hold them: a message may quote the rows that it was raised over."""

from seatrial.contract.masking import sensitive_anywhere
from seatrial.product.product import Product


def loggable(error: Exception, product: Product) -> Exception:
    """The error itself; where the contract classifies columns, one that names its type and place, not its words."""
    if not sensitive_anywhere(product.contract):
        return error
    plain = RuntimeError(f"{type(error).__name__}; its message may hold classified values and is withheld")
    return plain.with_traceback(error.__traceback__)

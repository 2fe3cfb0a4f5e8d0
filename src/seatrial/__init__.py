"""Seatrial takes a prototype model to a watched, self-repairing, value-accounted product.

`seatrial.Client` and `seatrial.AsyncClient` ask a server for predictions; they are imported when first asked for.
"""

TYPE_CHECKING = False  # as in `typing`, which would cost every start a few milliseconds
if TYPE_CHECKING:
    from seatrial.client.async_client import AsyncClient
    from seatrial.client.client import Client
else:
    from seatrial.client.on_demand import attribute as __getattr__  # noqa: F401 - Python looks for it by this name

__all__ = ["AsyncClient", "Client", "__version__"]

__version__ = "0.1.0"

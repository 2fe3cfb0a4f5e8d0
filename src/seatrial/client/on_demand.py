"""What `seatrial` itself offers, imported when it is first asked for: `import seatrial` stays light."""

_OFFERED = {"Client": "seatrial.client.client", "AsyncClient": "seatrial.client.async_client"}


def attribute(name: str) -> object:
    """The class of that name. Raises AttributeError, as a module does."""
    if name not in _OFFERED:
        raise AttributeError(f"module 'seatrial' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_OFFERED[name]), name)

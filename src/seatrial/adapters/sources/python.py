"""Tables from a Python function in a file beside the product file: one, or as many as it yields."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.delivering import delivered
from seatrial.adapters.sources.modules import Modules, importable, module_file
from seatrial.adapters.sources.retry import connection_failed
from seatrial.data.ports import Delivery

_END = object()


class PythonSource:
    """Calls `python: module:function` of a source: without arguments, or with the watermark if it is incremental."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def read(self, asked: Asked) -> Iterator[Delivery]:
        """The tables that the function returns or yields. Raises SourceFailed from whatever it raised."""
        place = str(asked.source.python)
        module_name, function_name = place.split(":")
        path, root = module_file(asked, module_name)

        def opening(start: Any) -> Iterator[pl.DataFrame]:
            arguments = {} if asked.source.incremental is None else {"since": start}
            # The neighbours are there while the function's own code runs, not while its tables are looked at.
            with importable(root):
                parts = _parts(self._modules.named(path, function_name)(**arguments))
            while True:
                with importable(root):
                    part = next(parts, _END)
                if part is _END:
                    return
                yield as_frame(asked, part)

        return delivered(asked, opening, place, connection_failed)


def _parts(returned: Any) -> Iterator[Any]:
    """The tables in what a function returned: itself, or what it yields."""
    if _is_table(returned) or isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        return iter((returned,))
    return iter(returned)


def _is_table(one: Any) -> bool:
    # pandas, PyArrow and others hand over Arrow streams.
    return isinstance(one, pl.DataFrame | pl.LazyFrame | Mapping) or hasattr(one, "__arrow_c_stream__")


def as_frame(asked: Asked, returned: Any) -> pl.DataFrame:
    """A table of whatever library as a frame. Raises SourceFailed for what is no table."""
    if isinstance(returned, pl.LazyFrame):
        return returned.collect()
    if isinstance(returned, pl.DataFrame):
        return returned
    if _is_table(returned):  # anything else Polars would take in its own way, texts too
        return pl.DataFrame(returned)
    kind = type(returned).__name__
    raise asked.failed(f"expected a table (Polars, pandas, Arrow, a mapping of columns), received {kind}")

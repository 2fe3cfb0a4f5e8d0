"""Tables from dlt resources: its sources and connectors, without its pipelines."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.delivering import delivered
from seatrial.adapters.sources.modules import Modules, importable, module_file
from seatrial.adapters.sources.python import as_frame
from seatrial.adapters.sources.retry import connection_failed
from seatrial.data.ports import Delivery
from seatrial.errors import MissingExtra

_PAGE_ROWS = 50_000
_END = object()


class DltSource:
    """Goes through the pages of `dlt: module:resource`; single records are gathered into tables."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def read(self, asked: Asked) -> Iterator[Delivery]:
        """What the resource yields. Raises SourceFailed from whatever it raised, MissingExtra without dlt."""
        place = str(asked.source.dlt)
        module_name, resource_name = place.split(":")
        path, root = module_file(asked, module_name)
        # Read when the library is imported: nothing is reported to its makers unless its user wants that.
        os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
        try:
            import dlt
        except ModuleNotFoundError as error:
            raise MissingExtra("dlt", "dlt") from error

        def opening(start: Any) -> Iterator[pl.DataFrame]:
            with importable(root):
                resource = _resource(asked, self._modules.named(path, resource_name))
                if start is not None:
                    since = dlt.sources.incremental(str(asked.source.incremental), initial_value=start)
                    resource.apply_hints(incremental=since)
                items = iter(resource)
            yield from _tables(asked, items, root)

        return delivered(asked, opening, place, connection_failed)


def _resource(asked: Asked, found: Any) -> Any:
    """A new instance of the resource, or of the only one of a source: hints must not stay on the user's own."""
    from dlt.extract import DltResource
    from dlt.extract import DltSource as Several

    made = found() if callable(found) else found
    if isinstance(made, DltResource):
        return made.with_name(made.name)
    if isinstance(made, Several) and len(made.selected_resources) == 1:
        return next(iter(made.selected_resources.values()))
    raise asked.failed(
        f"expected a dlt resource, or a source with one resource, received {type(made).__name__}"
    )


def _tables(asked: Asked, items: Iterator[Any], root: Path) -> Iterator[pl.DataFrame]:
    records: list[dict[str, Any]] = []
    while True:
        with importable(root):
            item = next(items, _END)
        if isinstance(item, dict):
            records.append(item)
        if records and (not isinstance(item, dict) or len(records) == _PAGE_ROWS):
            yield pl.from_dicts(records, infer_schema_length=None)
            records = []
        if item is _END:
            return
        if not isinstance(item, dict):
            yield as_frame(asked, item)

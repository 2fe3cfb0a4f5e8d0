"""The objects under a root of tables: which tables there are, and which files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

_LOG = "_delta_log"


def open_objects(root: str, options: Mapping[str, str] | None) -> ObjectStore | None:
    """The objects under a path or URL; None for a folder that does not exist."""
    if "://" in root:
        config, client = _split(options or {})
        # One mapping of options serves every kind of store, which no overload of the library allows for.
        return cast(
            ObjectStore, cast(Any, from_url)(root, config=config or None, client_options=client or None)
        )
    return LocalStore(Path(root).absolute()) if Path(root).is_dir() else None


def _split(options: Mapping[str, str]) -> tuple[dict[str, str], dict[str, bool]]:
    """Options as Delta takes them, as this library does: in small letters, those of the connection apart."""
    config, client = {}, {}
    for name, value in options.items():
        if name.lower().endswith("allow_http"):
            client["allow_http"] = value.lower() == "true"
        else:
            config[name.lower()] = value
    return config, client


def table_names(root: str, options: Mapping[str, str] | None) -> list[str]:
    """The names of all Delta tables under a path or URL, sorted; none when it does not exist."""
    store = open_objects(root, options)
    return [] if store is None else sorted(_below(store, ""))


def _below(store: ObjectStore, folder: str) -> Iterator[str]:
    found = obstore.list_with_delimiter(store, folder or None)["common_prefixes"]
    folders = [str(name).rstrip("/") for name in found]
    if any(name.rsplit("/", 1)[-1] == _LOG for name in folders):
        yield folder
        return
    for name in folders:
        yield from _below(store, name)

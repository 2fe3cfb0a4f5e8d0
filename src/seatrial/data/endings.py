"""How rows left the quarantine, in words."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from seatrial.data.loads import load_id
from seatrial.data.quarantine import CORRECTED, FITS
from seatrial.facts.tables import table_name
from seatrial.ports.tables import Tables

Told = Callable[[Mapping[str, Any]], str]


def endings(tables: Tables, product: str, ids: list[str]) -> Told:
    """What tells of a row that was put aside how, when and by what it was settled first since; "" while it is open."""
    rows = tables.read(table_name(product, "quarantine_settled"), where=pl.col("id").is_in(ids))
    found: dict[str, list[dict[str, Any]]] = {}
    for end in rows.sort("at").iter_rows(named=True) if rows.width else ():
        found.setdefault(end["id"], []).append(end)

    def told(row: Mapping[str, Any]) -> str:
        since: datetime = row["at"]
        end = next((one for one in found.get(row["id"], ()) if one["at"] >= since), None)
        return _words(end, row["source"]) if end else ""

    return told


def _words(end: Mapping[str, Any], source: str) -> str:
    by = {CORRECTED: f" by {end['by']}", FITS: f", version {end['by']}"}.get(end["how"], "")
    load = f", load {load_id(source, end['load'])}" if end["load"] is not None else ""
    return f"{end['at']:%Y-%m-%d %H:%M}: {end['how']}{by}{load}"

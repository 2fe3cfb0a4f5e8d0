"""A small product for tests of data: ships that may be late, looked up by their tides and their owners."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.contract.types import polars_type
from seatrial.data.read import SourceTables
from seatrial.product.product import Product
from seatrial.product.read import parse_product

START = datetime(2025, 1, 1, tzinfo=UTC)
DELAY = timedelta(minutes=20)
PRODUCT_FILE = """
product: harbour
purpose: Say which ships will be late, so that the berth can be given away.
sources:
  calls: {path: calls.csv}
  tides: {path: tides.csv}
  ships: {path: ships.csv}
examples:
  from: calls
  key: call
  made_at: announced_at
  outcome: {label: late, also: [hours_late]}
  known_at: berthed_at
  matured_at: announced_at + INTERVAL '2 days'
  lookups:
    tides: {on: [quay, basin], as_of: measured_at, available_after: 20m, columns: [depth]}
    ships: {on: [ship], columns: [length]}
  derive:
    room: depth - length / 10
model: {task: binary, estimator: "pipeline:make"}
"""
TABLES = (
    TableContract(
        name="calls",
        columns=(
            ColumnContract(name="call", type="string", role="key", required=True, unique=True),
            ColumnContract(name="announced_at", type="timestamp", role="made_at", required=True),
            ColumnContract(name="quay", type="string", role="lookup_key"),
            ColumnContract(name="basin", type="int", role="lookup_key"),
            ColumnContract(name="ship", type="string", role="lookup_key"),
            ColumnContract(name="crew", type="int", role="feature", minimum=1),
            ColumnContract(name="late", type="bool", role="outcome"),
            ColumnContract(name="hours_late", type="float", role="outcome"),
            ColumnContract(name="berthed_at", type="timestamp", role="known_at"),
        ),
        stop_above=0.5,
    ),
    TableContract(
        name="tides",
        columns=(
            ColumnContract(name="quay", type="string", role="lookup_key"),
            ColumnContract(name="basin", type="int", role="lookup_key"),
            ColumnContract(name="measured_at", type="timestamp"),
            ColumnContract(name="depth", type="float"),
        ),
        minimum_rows=0,
    ),
    TableContract(
        name="ships",
        columns=(
            ColumnContract(name="ship", type="string", role="lookup_key"),
            ColumnContract(name="length", type="float"),
        ),
        minimum_rows=0,
    ),
)


@cache
def harbour_product(file: str = PRODUCT_FILE) -> Product:
    return parse_product(file, write_contract(Contract(id="harbour", version="1.0.0", tables=TABLES)))


def frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of one table in its contract's types; fields that were left out are null."""
    columns = next(one for one in TABLES if one.name == table).columns
    return pl.DataFrame(rows, schema={column.name: polars_type(column.type) for column in columns})


def call(number: int, hour: float, **changes: Any) -> dict[str, Any]:
    """A ship announced some hours after the start, which came late when its number is odd, a day after."""
    announced = START + timedelta(hours=hour)
    given = {
        "call": f"c{number}",
        "announced_at": announced,
        "quay": "north",
        "basin": 1,
        "ship": "Argo",
        "crew": 10 + number,
        "late": number % 2 == 1,
        "hours_late": float(number % 2),
        "berthed_at": announced + timedelta(days=1),
    }
    return given | changes


def tide(hour: float, depth: float, **changes: Any) -> dict[str, Any]:
    given = {"quay": "north", "basin": 1, "measured_at": START + timedelta(hours=hour), "depth": depth}
    return given | changes


def source_tables(frames: dict[str, pl.DataFrame]) -> SourceTables:
    """Tables as if they had been read and nothing put aside."""
    return SourceTables(frames=frames, reads=(), rules=())

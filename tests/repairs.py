"""A product whose tables hold columns of every type: repairs that may come late, and what is repaired."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.contract.types import polars_type
from seatrial.product.product import Product
from seatrial.product.read import parse_product

DAY = timedelta(days=1)
START = datetime(2025, 1, 1, 9, tzinfo=UTC)
MADE_ON = (date(2020, 2, 29), date(2021, 5, 1), None)
PRODUCT_FILE = """
product: repairs
purpose: Say which repairs will not be done on the day that was promised.
owner: {business: desk@repairs.example, engineering: ml@repairs.example}
objective:
  unit: EUR
  threshold: 0.5
  value: >-
    CASE WHEN decision
    AND fetched_on > due_on + INTERVAL '1 day' THEN 4 * EXTRACT(dow FROM fetched_on)
    WHEN decision THEN -3 ELSE 0 END
  value_range: [-5, 40]
  baseline: weekday = 1
  outcome_depends_on_action: no
sources:
  repairs: {path: repairs.parquet}
  models: {path: models.parquet}
examples:
  from: repairs
  key: repair
  made_at: taken_at
  outcome: {label: late, also: [fetched_on, fetched_time, replaced, bill, told_at]}
  known_at: settled_at
  matured_at: due_on + INTERVAL '3 days'
  lookups:
    models: {on: [model, made_on], as_of: listed_on, columns: [sold_until, opening, colours, specs, price]}
  derive:
    weekday: EXTRACT(dow FROM due_on)
    hour: CAST(SUBSTR(promised, 1, 2) AS INT)
    days_on_sale: (EXTRACT(epoch FROM CAST(sold_until AS TIMESTAMP)) - EXTRACT(epoch FROM taken_at)) / 86400
    is_red: colours LIKE '%"red"%'
model: {task: binary, estimator: "model:make"}
train: {validate: 25%, seed: 7}
"""
REPAIRS = TableContract(
    name="repairs",
    primary_key=("repair",),
    columns=(
        ColumnContract(name="repair", type="string", role="key", required=True, unique=True),
        ColumnContract(name="taken_at", type="timestamp", role="made_at", required=True),
        ColumnContract(name="model", type="string", role="lookup_key"),
        ColumnContract(name="made_on", type="date", role="lookup_key"),
        ColumnContract(name="due_on", type="date", role="feature", required=True),
        ColumnContract(name="promised", type="time", role="feature"),
        ColumnContract(name="faults", type="array", role="feature"),
        ColumnContract(name="note", type="object", role="feature"),
        ColumnContract(name="distance", type="float", role="feature", minimum=0),
        ColumnContract(name="size", type="int", role="feature"),
        ColumnContract(name="urgent", type="bool", role="feature"),
        ColumnContract(name="seen_at", type="timestamp", role="feature"),
        ColumnContract(name="late", type="bool", role="outcome"),
        ColumnContract(name="fetched_on", type="date", role="outcome"),
        ColumnContract(name="fetched_time", type="time", role="outcome"),
        ColumnContract(name="replaced", type="array", role="outcome"),
        ColumnContract(name="bill", type="object", role="outcome"),
        ColumnContract(name="told_at", type="timestamp", role="outcome"),
        ColumnContract(name="settled_at", type="timestamp", role="known_at"),
    ),
    stop_above=0.5,
)
MODELS = TableContract(
    name="models",
    columns=(
        ColumnContract(name="model", type="string", role="lookup_key", required=True),
        ColumnContract(name="made_on", type="date", role="lookup_key"),
        ColumnContract(name="listed_on", type="date", required=True),
        ColumnContract(name="sold_until", type="date"),
        ColumnContract(name="opening", type="time"),
        ColumnContract(name="colours", type="array"),
        ColumnContract(name="specs", type="object"),
        ColumnContract(name="price", type="float"),
    ),
)


def repairs_contract() -> Contract:
    return Contract(id="repairs", version="1.0.0", tables=(REPAIRS, MODELS))


def repairs_product(file: str = PRODUCT_FILE, *, contract: Contract | None = None) -> Product:
    return parse_product(file, write_contract(contract or repairs_contract()))


def request(number: int, **changes: Any) -> dict[str, Any]:
    """A repair as JSON gives it: far ones, every other day, come late."""
    taken = START + number * DAY / 8
    given = {
        "repair": f"r{number}",
        "taken_at": taken.isoformat(),
        "model": ("Kettle", "Radio")[number % 2],
        "made_on": None if MADE_ON[number % 3] is None else str(MADE_ON[number % 3]),
        "due_on": str((taken + 2 * DAY).date()),
        "promised": f"{8 + number % 9:02}:30:00" + (".250000" if number % 4 == 0 else ""),
        "faults": ["cable", number % 5, {"loose": number % 2 == 0}],
        "note": {"from": {"shelf": number % 7}, "a": [1.5, None]},
        "distance": float(number % 17) * 20,
        "size": number % 4,
        "urgent": number % 5 == 0,
        "seen_at": (taken - DAY).isoformat(),
    }
    return given | changes


def outcome(number: int) -> dict[str, Any]:
    """What became of it, as JSON gives it."""
    asked = request(number)
    late = asked["distance"] > 160
    fetched = date.fromisoformat(asked["due_on"]) + (1 + late) * DAY
    return {
        "late": late,
        "fetched_on": str(fetched),
        "fetched_time": "17:00:00.5",
        "replaced": ["fuse"] * (number % 3),
        "bill": {"sum": number, "paid": late},
        "told_at": f"{fetched}T08:00:00+01:00",
    }


def settled_at(number: int) -> datetime:
    return datetime.fromisoformat(request(number)["taken_at"]) + 4 * DAY


def repairs(numbers: range) -> pl.DataFrame:
    """The repairs as their source delivers them, in the contract's types."""
    rows = [request(n) | outcome(n) | {"settled_at": settled_at(n).isoformat()} for n in numbers]
    return typed(REPAIRS, rows)


def models() -> pl.DataFrame:
    """What is repaired; each was listed twice, the second time in the middle of the month."""
    rows = [
        {
            "model": model,
            "made_on": str(made_on or date(2019, 1, 1)),
            "listed_on": listed,
            "sold_until": f"202{6 + place}-01-01",
            "opening": "09:00:00",
            "colours": ["red", "blue"] if model == "Radio" else [],
            "specs": {"watts": 100 * place, "parts": [{"n": 1}]},
            "price": 10.0 + place,
        }
        for model in ("Kettle", "Radio")
        for made_on in MADE_ON
        for place, listed in enumerate(("2024-12-01", "2025-01-15"))
    ]
    return typed(MODELS, rows)


def typed(table: TableContract, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as JSON gives them, in the types in which a source stores them."""
    return pl.DataFrame([_column(column, [row[column.name] for row in rows]) for column in table.columns])


def _column(column: ColumnContract, values: list[Any]) -> pl.Series:
    found = [None if value is None else _stored(column.type, value) for value in values]
    return pl.Series(column.name, found, dtype=polars_type(column.type))


def _stored(kind: str, value: Any) -> Any:
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "timestamp":
        return datetime.fromisoformat(value).astimezone(UTC)
    return json.dumps(value) if kind in ("array", "object") else value

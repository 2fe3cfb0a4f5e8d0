"""A product whose requests have every type and rule of contracts."""

from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.contract.model import ColumnContract, Contract, RowRule, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.ports.runtime import Inputs
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from seatrial.web.scoring.rsgi import RsgiApp
from tests.one_product import OneProductServer, one_product, one_product_app

PRODUCT_FILE = """
product: permits
purpose: Say which building permits will be appealed.
owner: {business: desk@town.example, engineering: ml@town.example}
objective:
  unit: EUR
  value: CASE WHEN decision AND appealed THEN 100 WHEN decision THEN -40 ELSE 0 END
  value_range: [-40, 100]
  baseline: storeys > 5
  outcome_depends_on_action: no
sources:
  permits: {path: permits.csv}
examples:
  from: permits
  key: permit
  made_at: asked_at
  outcome: {label: appealed, also: [costs]}
  known_at: appealed_at
  matured_at: asked_at + INTERVAL '30 days'
  derive: {tall: storeys > 3}
model: {task: binary, estimator: "pipeline:make"}
"""


def _column(name: str, kind: Any, role: Any = "feature", **rules: Any) -> ColumnContract:
    return ColumnContract(name=name, type=kind, role=role, **rules)


COLUMNS = (
    _column("permit", "string", "key", required=True, pattern="P-[0-9]{4,8}"),
    _column("asked_at", "timestamp", "made_at", required=True),
    _column("area", "float", required=True, exclusive_minimum=0.0, exclusive_maximum=10_000.0),
    _column("storeys", "int", required=True, minimum=0, maximum=99),
    _column("fee", "int", minimum=0, multiple_of=5),
    _column("slope", "float", minimum=-90.0, maximum=90.0, severity="warning"),
    _column("listed", "bool", required=True),
    _column("shared", "bool"),
    _column("zone", "string", required=True, values=("home", "trade", "green")),
    _column("clerk", "string", format="email", classification="personal"),
    _column("street", "string", min_length=2, max_length=40),
    _column("visit", "date"),
    _column("opens", "time"),
    _column("tags", "array"),
    _column("plan", "object"),
    _column("appealed", "bool", "outcome"),
    _column("costs", "float", "outcome", minimum=0.0),
    _column("appealed_at", "timestamp", "known_at"),
)


@cache
def permits_product() -> Product:
    """The product, read from its texts."""
    rule = RowRule(name="area fits storeys", expression="storeys < 50 OR area > 100")
    table = TableContract(name="permits", columns=COLUMNS, row_rules=(rule,))
    contract = Contract(id="permits", version="2.0.0", tables=(table,))
    return parse_product(PRODUCT_FILE, write_contract(contract))


def permit(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A request row as JSON gives it."""
    whole = {
        "permit": f"P-{number:05d}",
        "asked_at": "2026-03-01T09:30:00Z",
        "area": 120.5,
        "storeys": 2,
        "fee": 35,
        "slope": 4.5,
        "listed": False,
        "shared": None,
        "zone": "home",
        "clerk": "clerk@town.example",
        "street": "Main Street",
        "visit": "2026-03-09",
        "opens": "08:30:00",
        "tags": ["roof", 3],
        "plan": {"sheets": 4},
    }
    return {
        name: value for name, value in whole.items() if name in permits_product().request_columns
    } | changes


class AreaScorer:
    """Scores area / 10,000, in [0, 1]."""

    isolated = False

    def close(self) -> None:
        """Nothing is held."""

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        return np.clip(inputs["area"][:, 0].astype(np.float64) / 10_000, 0, 1)


def app() -> RsgiApp:
    """The application that granian serves."""
    return one_product_app(permits_product(), AreaScorer())


def permits_server(folder: Path) -> AbstractContextManager[OneProductServer]:
    """A ready server of the product."""
    return one_product(folder, "tests.permits:app")

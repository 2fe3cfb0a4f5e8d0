"""The clinic of the documentation's start, with the contract that is inferred there and a scorer without training."""

from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.ports.runtime import Inputs
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from seatrial.web.scoring.rsgi import RsgiApp
from tests.one_product import OneProductServer, one_product, one_product_app

PRODUCT_FILE = """
product: clinic-calls
purpose: Say which patients will not come, so that somebody calls them two days before.
owner: {business: reception@clinic.example, engineering: data@clinic.example}
objective:
  unit: EUR
  value: CASE WHEN decision AND no_show THEN 12 WHEN decision THEN -2 ELSE 0 END
  value_range: [-2, 12]
  baseline: missed_before >= 2
  outcome_depends_on_action: no
sources:
  appointments: {path: appointments.parquet}
examples:
  from: appointments
  key: appointment_id
  made_at: asked_at
  outcome: {label: no_show}
  known_at: appointment_at
  matured_at: asked_at + INTERVAL '2 days'
model: {task: binary, estimator: "pipeline:make"}
"""
COLUMNS = (
    ColumnContract(name="appointment_id", type="string", role="key", required=True),
    ColumnContract(name="asked_at", type="timestamp", role="made_at", required=True),
    ColumnContract(name="ward", type="string", role="feature", required=True),
    ColumnContract(name="booked_by", type="string", role="feature", required=True),
    ColumnContract(name="age", type="int", role="feature", required=True, minimum=-190, maximum=280),
    ColumnContract(name="lead_days", type="int", role="feature", required=True, minimum=-120, maximum=180),
    ColumnContract(name="missed_before", type="int", role="feature", required=True, minimum=-6, maximum=9),
    ColumnContract(name="hour", type="int", role="feature", required=True, minimum=-46, maximum=69),
    ColumnContract(name="no_show", type="bool", role="outcome"),
    ColumnContract(name="appointment_at", type="timestamp", role="known_at"),
)


class LeadScorer:
    """Scores a sixtieth of the lead days, in [0, 1]."""

    isolated = False

    def close(self) -> None:
        """Nothing is held."""

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        return np.clip(inputs["lead_days"][:, 0].astype(np.float64) / 60, 0, 1)


@cache
def clinic_product() -> Product:
    """The product, read from its texts."""
    table = TableContract(name="appointments", columns=COLUMNS)
    return parse_product(
        PRODUCT_FILE, write_contract(Contract(id="clinic-calls", version="1.0.0", tables=(table,)))
    )


def app() -> RsgiApp:
    """The application that granian serves."""
    return one_product_app(clinic_product(), LeadScorer())


def clinic_server(folder: Path) -> AbstractContextManager[OneProductServer]:
    """A ready server of the product."""
    return one_product(folder, "tests.clinic:app")

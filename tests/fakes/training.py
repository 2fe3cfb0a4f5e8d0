"""A small product with examples, and a framework and runtime that count instead of learning."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.errors import TrainingFailed
from seatrial.facts.model import Model
from seatrial.facts.snapshot import RuleResult, Snapshot, SourceRead
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.runtime import Inputs, Limits, Runtime
from seatrial.product.features import Feature
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from seatrial.train.compare import Rival
from seatrial.train.ports import Inputs as Columns
from seatrial.train.train import train_model
from tests.fakes.clock import MemoryClock

START = datetime(2025, 1, 1, tzinfo=UTC)

PRODUCT = """
product: late-parcels
purpose: Warn of parcels that will come late, so that a faster van can be sent.
owner: {{business: shop@parcels.example, engineering: ml@parcels.example}}
objective:
  unit: EUR
  {objective}
  value: CASE WHEN decision AND late THEN 4 * weight WHEN decision THEN -3 ELSE 0 END
  value_range: [-5, 20]
  baseline: express
  outcome_depends_on_action: no
sources:
  parcels: {{path: parcels.parquet}}
examples:
  from: parcels
  key: parcel_id
  made_at: sent_at
  outcome: {{label: late, also: [weight]}}
  known_at: arrived_at
  matured_at: sent_at + INTERVAL '1 day'
  derive:
    heavy: size * 2
model: {{task: binary, estimator: {estimator}{consented}}}
train: {{validate: {validate}, seed: 7, slices: [{slices}]}}
{more}
"""

COLUMNS = (
    ColumnContract(name="parcel_id", type="string", role="key", required=True, unique=True),
    ColumnContract(name="sent_at", type="timestamp", role="made_at", required=True),
    ColumnContract(name="arrived_at", type="timestamp", role="known_at"),
    ColumnContract(name="late", type="bool", role="outcome"),
    ColumnContract(name="weight", type="float", role="outcome"),
    ColumnContract(name="city", type="string", role="feature"),
    ColumnContract(name="size", type="float", role="feature"),
    ColumnContract(name="distance", type="float", role="feature", required=True),
    ColumnContract(name="express", type="bool", role="feature", required=True),
)


@cache
def parcels_product(
    folder: Path | None = None,
    *,
    estimator: str = "model:make",
    consented: str | None = None,
    objective: str = "threshold: auto",
    validate: str = "25%",
    slices: str = "city",
    more: str = "",
) -> Product:
    """The product, read from texts; its features are city, size, distance, express and the derived heavy.

    `more` are further sections of the product file.
    """
    contract = Contract(
        id="parcels", version="1.0.0", tables=(TableContract(name="parcels", columns=COLUMNS),)
    )
    text = PRODUCT.format(
        estimator=estimator,
        consented=f", consented: '{consented}'" if consented else "",
        objective=objective,
        validate=validate,
        slices=slices,
        more=more,
    )
    return parse_product(text, write_contract(contract), folder=folder)


def parcels(product: Product, rows: int = 1200, days: int = 40, seed: int = 0) -> pl.DataFrame:
    """Examples over some days, in the order in which they were made: far and large parcels come late more often."""
    random = np.random.default_rng(seed)
    day = np.sort(random.integers(0, days, rows))
    distance, size = random.gamma(2.0, 100.0, rows), random.normal(5.0, 2.0, rows)
    city = random.choice(["Bergen", "Oslo", "Turku"], rows, p=[0.5, 0.3, 0.2])
    # Whole days have bad weather.
    odds = distance / 100.0 + 0.3 * (size - 5.0) - 3.0 + random.normal(0.0, 0.5, days)[day]
    late = random.random(rows) < 1.0 / (1.0 + np.exp(-odds - (city == "Turku")))
    minutes = day * 1440 + random.integers(0, 1440, rows)
    frame = pl.DataFrame(
        {
            "parcel_id": [f"p{number}" for number in range(rows)],
            "minutes": minutes,
            "city": pl.Series(city.tolist()),
            "size": pl.Series(np.where(random.random(rows) < 0.1, np.nan, size)).fill_nan(None),
            "distance": distance,
            "express": random.random(rows) < 0.2,
            "late": late,
            "weight": random.gamma(2.0, 1.0, rows),
        }
    )
    sent = (pl.lit(START) + pl.duration(minutes="minutes")).cast(pl.Datetime("us", "UTC"))
    timed = frame.select(sent.alias("sent_at"), pl.all().exclude("minutes"))
    known = timed.with_columns((pl.col("sent_at") + pl.duration(hours=5)).alias("known_at"))
    return product.derived(known).sort("sent_at", "parcel_id")


def parcels_snapshot(product: Product, examples: pl.DataFrame, id: str = "sha256:" + "5" * 64) -> Snapshot:
    """A snapshot fact for the examples; nothing is stored."""
    moments = examples[product.made_at]
    first, last = moments.sort()[[0, -1]].to_list()
    return Snapshot(
        id=id,
        product=product.name,
        table="parcels.examples",
        number=1,
        profile=id,
        rows=examples.height,
        columns=tuple(examples.columns),
        first_made_at=first,
        last_made_at=last,
        as_of=None,
        sources=(
            SourceRead(
                name="parcels",
                kind="path",
                rows=examples.height,
                kept=examples.height,
                digest=id,
                read_at=last,
            ),
        ),
        rules=(RuleResult(source="parcels", rule="late: bool", rows=examples.height, failed=0),),
        contract_version="1.0.0",
        product_digest=product.digest,
        created_at=last,
    )


class Counted(msgspec.Struct, frozen=True):
    """A package: the share of outcomes per band of one number."""

    column: str
    shares: tuple[float, ...]
    width: float = 60.0
    native: bool = False


@dataclass(frozen=True)
class CountingModel:
    """A fitted model that knows the share of outcomes in each band of one number."""

    counted: Counted
    isolated: bool = False

    def score(self, inputs: Columns | Inputs) -> npt.NDArray[np.float64]:
        return np.array(self.counted.shares)[_band(inputs[self.counted.column], self.counted.width)]

    def package(self, features: Sequence[Feature]) -> bytes:
        return msgspec.json.encode(self.counted)

    def package_natively(self, features: Sequence[Feature]) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(self.counted, native=True))

    def close(self) -> None:
        """It has no process."""


@dataclass(frozen=True)
class CountingEstimator:
    """Fits by counting."""

    name: str = "counting"
    column: str = "distance"
    width: float = 60.0

    def fit(
        self, inputs: Columns, labels: npt.NDArray[np.bool_], features: Sequence[Feature], seed: int
    ) -> CountingModel:
        band = _band(inputs[self.column], self.width)
        late = np.bincount(band, weights=labels, minlength=_BANDS) + 1.0
        shares = late / (np.bincount(band, minlength=_BANDS) + 2.0)
        return CountingModel(Counted(self.column, tuple(shares.tolist()), self.width))


class CountingFramework:
    """A framework whose every estimator counts; `linear` looks at a worse column."""

    def load(self, product: Product) -> CountingEstimator:
        return CountingEstimator()

    def linear(self, features: Sequence[Feature]) -> CountingEstimator:
        return CountingEstimator("linear", "size", 1.0)


class CountingRuntime:
    """Runs what a counting model packages."""

    def load(self, package: bytes, limits: Limits | None = None) -> CountingModel:
        try:
            counted = msgspec.json.decode(package, type=Counted)
            return CountingModel(counted, isolated=counted.native)
        except msgspec.DecodeError as error:
            raise TrainingFailed("package: expected a counted model") from error


_BANDS = 12


def _band(column: npt.NDArray[Any], width: float) -> npt.NDArray[np.int64]:
    numbers = np.nan_to_num(column[:, 0].astype(np.float64), nan=0.0)
    return np.clip(numbers // width, 0, _BANDS - 1).astype(np.int64)


def trained(
    artifacts: Artifacts,
    product: Product | None = None,
    examples: pl.DataFrame | None = None,
    *,
    runtime: Runtime | None = None,
    rival: Rival | None = None,
    snapshot_id: str = "sha256:" + "5" * 64,
    moment: datetime = START,
) -> Model:
    """A model of the parcels, trained by counting."""
    product = product or parcels_product()
    examples = parcels(product) if examples is None else examples
    return train_model(
        product,
        examples,
        parcels_snapshot(product, examples, snapshot_id),
        framework=CountingFramework(),
        runtime=runtime or CountingRuntime(),
        artifacts=artifacts,
        clock=MemoryClock(moment),
        why="first model",
        rival=rival,
    )

"""A small product for tests of serving: hotel bookings with one lookup, and scorers that need no training."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.contract.model import ColumnContract, Contract, Freshness, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.contract.types import TIMESTAMP
from seatrial.errors import TrainingFailed
from seatrial.facts.prediction import Prediction, PredictionBlock
from seatrial.facts.records import PREDICTIONS, decode_predictions
from seatrial.facts.release import Bundle, Phase, Release
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.runtime import Inputs, Limits, Scorer
from seatrial.product.lookup_files import to_bytes
from seatrial.product.lookups import LookupIndex, prepare
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from seatrial.serve.loaded import LoadedRelease, assembled
from seatrial.serve.ports import RouteTable
from tests.fakes.journal import MemoryJournal

START = datetime(2025, 1, 1, tzinfo=UTC)
BOOKED = datetime(2024, 12, 1, 12, tzinfo=UTC)
PRODUCT_FILE = """
product: hotel
purpose: Say which bookings will be cancelled.
owner: {business: revenue@hotel.example, engineering: ml@hotel.example}
objective:
  unit: EUR
  value: CASE WHEN decision AND is_canceled THEN price WHEN decision THEN -price ELSE 0 END
  value_range: [-1000, 1000]
  baseline: deposit = 'none' AND price > 500
  outcome_depends_on_action: no
sources:
  bookings: {path: bookings.csv}
  weather: {path: weather.csv}
examples:
  from: bookings
  key: booking
  made_at: booked_at
  outcome: {label: is_canceled, also: [refund]}
  known_at: outcome_at
  matured_at: arrival_at
  lookups:
    weather: {on: [city], as_of: observed_at, columns: [rain]}
  derive:
    lead_hours: (EXTRACT(epoch FROM arrival_at) - EXTRACT(epoch FROM booked_at)) / 3600
model: {task: binary, estimator: "pipeline:make"}
"""


def bookings_columns() -> tuple[ColumnContract, ...]:
    return (
        ColumnContract(name="booking", type="string", role="key", required=True),
        ColumnContract(name="booked_at", type="timestamp", role="made_at"),
        ColumnContract(name="arrival_at", type="timestamp", role="other"),
        ColumnContract(name="price", type="float", role="feature", required=True, minimum=0, maximum=5000),
        ColumnContract(name="nights", type="int", role="feature", minimum=0),
        ColumnContract(name="city", type="string", role="lookup_key"),
        ColumnContract(name="deposit", type="string", role="feature", values=("none", "full")),
        ColumnContract(name="is_canceled", type="bool", role="outcome"),
        ColumnContract(name="refund", type="float", role="outcome"),
        ColumnContract(name="outcome_at", type="timestamp", role="known_at"),
    )


def hotel_contract(*more: ColumnContract, fresh_within: float | None = None) -> Contract:
    """The contract; `fresh_within` bounds the age of the weather, in seconds."""
    bounds = () if fresh_within is None else (Freshness(column="observed_at", seconds=fresh_within),)
    weather = (
        ColumnContract(name="city", type="string", role="lookup_key", required=True),
        ColumnContract(name="observed_at", type="timestamp"),
        ColumnContract(name="rain", type="float"),
    )
    bookings = TableContract(name="bookings", columns=(*bookings_columns(), *more))
    tables = (bookings, TableContract(name="weather", columns=weather, freshness=bounds))
    return Contract(id="hotel", version="1.0.0", tables=tables)


@cache
def hotel_product(
    *more: ColumnContract, file: str = PRODUCT_FILE, fresh_within: float | None = None
) -> Product:
    return parse_product(file, write_contract(hotel_contract(*more, fresh_within=fresh_within)))


def weather_table(
    product: Product, rows: Sequence[tuple[str, float, float]] = (("Rome", -9, 9.0), ("Rome", -1, 3.0))
) -> pl.DataFrame:
    """The prepared lookup of rows of city, day counted from the bookings, and rain: by default known before them."""
    raw = pl.DataFrame(
        [(city, BOOKED + timedelta(days=day), rain) for city, day, rain in rows],
        schema={"city": pl.String, "observed_at": TIMESTAMP, "rain": pl.Float64},
        orient="row",
    )
    return prepare(raw, product.lookup("weather"), product.lookup_names["weather"])


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A request row as JSON gives it: price rises with the number, from 100 on."""
    given = {
        "booking": f"b{number}",
        "booked_at": BOOKED.isoformat(),
        "arrival_at": (BOOKED + timedelta(days=10)).isoformat(),
        "price": 100.0 + number % 1000,
        "nights": 2,
        "city": "Rome",
        "deposit": "none",
    }
    return given | changes


class PriceScorer:
    """Scores price / 1000, in [0, 1]; counts its calls."""

    def __init__(self, *, isolated: bool = False) -> None:
        self.calls = 0
        self.isolated = isolated
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        self.calls += 1
        return np.clip(inputs["price"][:, 0].astype(np.float64) / 1000, 0, 1)


class FunctionScorer:
    """Does what a function of the inputs does; it may take any time."""

    isolated = True

    def __init__(self, function: Callable[[Inputs], Any]) -> None:
        self.function = function

    def close(self) -> None:
        """Nothing is held."""

    def score(self, inputs: Inputs) -> Any:
        return self.function(inputs)


def raising(inputs: Inputs) -> npt.NDArray[np.float64]:
    raise ValueError("this model is broken")


def not_numbers(inputs: Inputs) -> npt.NDArray[np.float64]:
    return np.full(inputs["price"].shape[0], math.nan)


class NamedRuntime:
    """Loads a scorer by the name in the package."""

    def __init__(self, **scorers: Scorer) -> None:
        self.scorers: dict[str, Scorer] = {"price": PriceScorer(), **scorers}
        self.loads = 0

    def load(self, package: bytes, limits: Limits | None = None) -> Scorer:
        self.loads += 1
        if package.decode() not in self.scorers:
            raise TrainingFailed(f"{package!r} is no model")
        return self.scorers[package.decode()]


class SettableSource:
    """A route source that a test sets."""

    def __init__(self, live: Release | None = None, challenger: Release | None = None) -> None:
        self.table = None if live is None else RouteTable(live=live, challenger=challenger)
        self.fails: Exception | None = None

    def current(self) -> RouteTable | None:
        if self.fails is not None:
            raise self.fails
        return self.table


def predictions_of(block: PredictionBlock) -> list[Prediction]:
    """The predictions of a journal record, one by one."""
    return [
        Prediction(
            prediction_id=block.prediction_id[at],
            idempotency_key=block.idempotency_key[at],
            unit=block.key[at] if block.unit is None else block.unit[at],
            assigned=block.assigned[at],
            served=block.served[at],
            product=block.product,
            release=block.release,
            model_digest=block.model_digest,
            key=block.key[at],
            made_at=_moment(block.made_at[at]),
            received_at=_moment(block.received_at[at]),
            matured_at=_moment(block.matured_at[at]),
            features={name: column[at] for name, column in block.features.items()},
            score=block.score[at],
            decision=block.decision[at],
            baseline=block.baseline[at],
            propensity=block.propensity[at],
            fallback=block.fallback[at],
            latency_ms=block.latency_ms[at],
            contract_version=block.contract_version,
            trace_id=block.trace_id[at],
        )
        for at in range(len(block))
    ]


def journaled(journal: MemoryJournal) -> list[Prediction]:
    """All predictions in the sealed segments of a journal, in order."""
    return [
        prediction
        for segment in journal.sealed()
        if segment.kind == PREDICTIONS
        for record in segment.records
        for prediction in predictions_of(decode_predictions(record))
    ]


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def hotel_release(id: str = "r0001", *, phase: Phase = Phase.LIVE, share: float = 0.0) -> Release:
    """A release whose bundle lies nowhere."""
    bundle = Bundle(
        id=f"bundle-{id}",
        product="hotel",
        model=f"model-{id}",
        model_artifact="",
        product_file="",
        contract="",
        lookups={},
        threshold=0.5,
    )
    return Release(
        id=id, product="hotel", bundle=bundle, phase=phase, share=share, created_at=START, changed_at=START
    )


def stored_release(
    artifacts: Artifacts, id: str = "r0001", *, scorer: str = "price", product: Product | None = None
) -> Release:
    """A live release whose parts are all in the artifacts."""
    product = product or hotel_product()
    product_file, contract = (artifacts.put(text.encode()) for text in product.texts)
    release = hotel_release(id)
    bundle = msgspec.structs.replace(
        release.bundle,
        model_artifact=artifacts.put(scorer.encode()),
        product_file=product_file,
        contract=contract,
        lookups={"weather": artifacts.put(to_bytes(weather_table(product)))},
    )
    return msgspec.structs.replace(release, bundle=bundle)


def loaded(
    id: str = "r0001",
    scorer: Scorer | None = None,
    *,
    phase: Phase = Phase.LIVE,
    share: float = 0.0,
    product: Product | None = None,
    index: LookupIndex | None = None,
) -> LoadedRelease:
    """A release in memory."""
    product = product or hotel_product()
    found = index or LookupIndex(weather_table(product), product.lookup("weather"))
    release = hotel_release(id, phase=phase, share=share)
    return assembled(release, product, scorer or PriceScorer(), {"weather": found})

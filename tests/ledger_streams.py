"""A small product with a value, and predictions, outcomes and ledgers made up for it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.types import TIMESTAMP, polars_schema
from seatrial.facts.estimate import Estimate
from seatrial.facts.model import Model, Parity
from seatrial.facts.tables import LEDGER, OUTCOMES, PREDICTIONS
from seatrial.product.expressions import compile_expression
from seatrial.product.features import Feature
from seatrial.product.product import CompiledObjective, Product
from seatrial.product.schema import ProductFile

FIRST = datetime(2024, 3, 1, tzinfo=UTC)
VALUE = "CASE WHEN decision AND late THEN 10 * size WHEN decision THEN -2 WHEN late THEN -1 ELSE 0 END"
ALSO = "CASE WHEN decision THEN 10 - minutes ELSE 0 END"


def product(*, value: str = VALUE, tolerance: float = 0.0, also: tuple[str, ...] = ()) -> Product:
    """Predicts `late`; value reads the request column `size`; lookup `weather` brings `wind`."""
    file = ProductFile.model_validate(_file(value, tolerance, also))
    assert file.objective is not None
    known = {"id": "string", "at": "timestamp", "size": "float", "kind": "string", "wind": "float"}
    outcomes = {"late": "bool", **dict.fromkeys(also, "float")}
    objective = CompiledObjective(
        section=file.objective,
        decision=compile_expression(
            file.objective.decision,
            {**known, "score": "float", "threshold": "float"},
            "bool",
            name="decision",
        ),
        value=compile_expression(value, {**known, **outcomes, "decision": "bool"}, "number", name="value"),
        baseline=compile_expression(file.objective.baseline, known, "bool", name="baseline"),
        digest=f"sha256:{value}",
    )
    return Product(
        file=file,
        contract=_contract(also),
        texts=("", ""),
        folder=None,
        columns=known,
        features=(Feature("size", "float"), Feature("kind", "string"), Feature("wind", "float")),
        lookup_names={"weather": {"wind": "wind"}},
        derive={},
        matured_at=compile_expression("at", known, "timestamp", name="matured_at"),
        compiled_objective=objective,
    )


def _file(value: str, tolerance: float, also: tuple[str, ...]) -> dict[str, Any]:
    return {
        "product": "parcels",
        "purpose": "Say which parcels will be late.",
        "objective": {
            "unit": "EUR",
            "value": value,
            "value_range": [-20, 60],
            "baseline": "size > 3",
            "outcome_depends_on_action": "no",
        },
        "sources": {"parcels": {"path": "parcels.csv"}, "weather": {"path": "weather.csv"}},
        "examples": {
            "from": "parcels",
            "key": "id",
            "made_at": "at",
            "outcome": {"label": "late", "also": list(also)},
            "known_at": "known",
            "matured_at": "at",
            "lookups": {"weather": {"on": ["id"], "columns": ["wind"]}},
        },
        "model": {"task": "binary", "estimator": "prototype.joblib"},
        "observe": {"false_alarms": "1 per year", "harm_tolerance": tolerance},
    }


def _contract(also: tuple[str, ...]) -> Contract:
    columns = (
        ColumnContract(name="id", type="string", role="key"),
        ColumnContract(name="at", type="timestamp", role="made_at"),
        ColumnContract(name="size", type="float", role="feature"),
        ColumnContract(name="kind", type="string", role="feature"),
        ColumnContract(name="late", type="bool", role="outcome"),
        *(ColumnContract(name=name, type="float", role="outcome") for name in also),
        ColumnContract(name="known", type="timestamp", role="known_at"),
    )
    return Contract(id="parcels", version="1", tables=(TableContract(name="parcels", columns=columns),))


def predictions(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The `predictions` table; each row says what matters to it, the rest is filled in."""
    schema = {
        **polars_schema(PREDICTIONS),
        "feature_id": pl.String(),
        "feature_size": pl.Float64(),
        "feature_kind": pl.String(),
        "feature_wind": pl.Float64(),
    }
    return pl.DataFrame([_prediction(row) for row in rows], schema=schema)


def _prediction(row: Mapping[str, Any]) -> dict[str, Any]:
    name = str(row["prediction_id"])
    made_at = row.get("made_at", FIRST)
    filled = {
        "unit": name,
        "assigned": "live",
        "product": "parcels",
        "release": "r0001",
        "model_digest": "sha256:m1",
        "key": f"key-{name}",
        "made_at": made_at,
        "received_at": made_at,
        "matured_at": made_at + timedelta(hours=6),
        "score": 0.5,
        "decision": True,
        "baseline": False,
        "propensity": 1.0,
        "latency_ms": 1.0,
        "contract_version": "1",
        "feature_size": 1.0,
        "feature_kind": "box",
        "feature_wind": 4.0,
        **row,
    }
    return {"served": filled["assigned"], "feature_id": filled["key"], **filled}


def outcomes(rows: Sequence[Mapping[str, Any]], also: tuple[str, ...] = ()) -> pl.DataFrame:
    """The `outcomes` table; `late` and further outcome columns under their own names."""
    schema = {**polars_schema(OUTCOMES), "outcome_late": pl.Boolean()}
    schema |= {f"outcome_{name}": pl.Float64() for name in also}
    return pl.DataFrame([_outcome(row, also) for row in rows], schema=schema)


def _outcome(row: Mapping[str, Any], also: tuple[str, ...]) -> dict[str, Any]:
    known = row.get("known_at", FIRST + timedelta(hours=5))
    values = {f"outcome_{name}": row.get(name) for name in ("late", *also)}
    fixed = {"revision": 0, "known_at": known, "received_at": row.get("received_at", known)}
    return {**fixed, **{k: v for k, v in row.items() if k not in ("late", *also)}, **values}


def model(*, loss: float, value: float, spread: float = 0.0, rows_per_day: int = 100) -> Model:
    """A model that promises a Brier loss and a value per row, both to within `spread`, from 60 days."""
    return Model(
        id="sha256:m1",
        product="parcels",
        snapshot="sha256:s",
        artifact="sha256:a",
        estimator="prototype",
        features=("size", "kind", "wind"),
        threshold=0.5,
        trained_at=FIRST,
        trained_from=FIRST - timedelta(days=200),
        trained_to=FIRST - timedelta(days=60),
        training_rows=10_000,
        validation_rows=60 * rows_per_day,
        seconds=1.0,
        seed=0,
        parity=Parity(rows=1, largest_difference=0.0, tolerance=1e-5, differing_rows=0),
        comparisons=(),
        slices=(),
        importances={"size": 0.6, "kind": 0.3, "wind": 0.1},
        promise=Estimate(value=value, lower=value - spread, upper=value + spread, n=60),
        promised_loss=Estimate(value=loss, lower=loss - spread / 10, upper=loss + spread / 10, n=60),
        calibration=((), ()),
        reference="sha256:r",
        longest_wait=86_400.0,
        card="",
    )


def ledger_days(
    rng: np.random.Generator,
    *,
    days: int,
    rows: int = 100,
    chance: float = 0.3,
    flip: float = 0.0,
    first: datetime = FIRST,
    release: str = "r0001",
) -> pl.DataFrame:
    """Ledger rows of consecutive days: calibrated scores around `chance`, a share `flip` of outcomes turned over.

    Acting is worth 4 when the outcome comes and costs 1 otherwise; rest is worth nothing.
    """
    total = days * rows
    score = np.clip(rng.beta(2.0, 2.0 * (1 - chance) / chance, total), 0.001, 0.999)
    label = rng.random(total) < score
    label = np.where(rng.random(total) < flip, ~label, label)
    day = np.repeat(np.arange(days), rows)
    made_at = [
        first + timedelta(days=int(d), seconds=int(s))
        for d, s in zip(day, rng.integers(0, 86_400, total), strict=True)
    ]
    act = np.where(label, 4.0, -1.0)
    decision = score >= 0.2
    frame = pl.DataFrame(
        {
            "prediction_id": [f"{release}-{first:%Y%m%d}-{i}" for i in range(total)],
            "key": [f"k{i}" for i in range(total)],
            "unit": [f"k{i}" for i in range(total)],
            "made_at": pl.Series(made_at, dtype=TIMESTAMP),
            "score": score,
            "decision": decision,
            "baseline": np.zeros(total, dtype=bool),
            "label": label,
            "value": np.where(decision, act, 0.0),
            "baseline_value": np.zeros(total),
            "act_value": act,
            "rest_value": np.zeros(total),
            "loss": (score - label) ** 2,
        }
    )
    made = pl.col("made_at")
    booked = frame.with_columns(
        (made + pl.duration(hours=6)).alias("matured_at"),
        (made + pl.duration(hours=7)).alias("settled_at"),
        made.dt.strftime("%Y-%m-%d").alias("block"),
        pl.lit(release).alias("release"),
        pl.lit("sha256:m1").alias("model_digest"),
        pl.lit("live").alias("assigned"),
        pl.lit("live").alias("served"),
        pl.lit(False).alias("capped"),
        pl.lit("sha256:o").alias("objective"),
        pl.lit(False).alias("awaited"),
    )
    return booked.select(pl.col(name).cast(kind) for name, kind in polars_schema(LEDGER).items())


def in_two_bookings(rows: pl.DataFrame, posted_at: pl.Expr) -> pl.DataFrame:
    """The rows booked without an outcome as they mature, in rounds of six hours, and again once it was posted.

    Where `posted_at` is null the outcome never comes.
    """
    known = ["label", "value", "baseline_value", "act_value", "rest_value", "loss"]
    booked = rows.with_columns(
        pl.col("matured_at").dt.offset_by("6h").dt.truncate("6h").alias("settled_at"),
        *(pl.lit(None, dtype=rows.schema[name]).alias(name) for name in known),
    )
    posted = rows.with_columns(posted_at.cast(TIMESTAMP).alias("settled_at"), pl.lit(True).alias("awaited"))
    return pl.concat([booked, posted.filter(pl.col("settled_at").is_not_null())]).sort(
        "settled_at", "prediction_id"
    )

"""The work of the serving benchmark: a product with 20 numbers, its data, and the bodies that are posted.

Every Python reads this file, that of each peer among them: nothing but the standard library on top.
"""

import json
import shutil
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

PRODUCT = "serving-work"
FEATURES = tuple(f"f{number:02d}" for number in range(20))
EXAMPLES, BODIES, BATCH = 20_000, 4_000, 100
START = datetime(2026, 1, 1, tzinfo=UTC)

PRODUCT_FILE = f"""
product: {PRODUCT}
purpose: The work that every system of the serving benchmark does.
owner: {{business: benchmark@seatrial.example, engineering: benchmark@seatrial.example}}
objective:
  unit: EUR
  value: CASE WHEN decision AND label THEN 1 WHEN decision THEN -1 ELSE 0 END
  value_range: [-1, 1]
  baseline: f00 > 0
  outcome_depends_on_action: no
sources:
  examples: {{path: examples.parquet}}
examples:
  from: examples
  key: key
  made_at: made_at
  outcome: {{label: label}}
  known_at: known_at
  matured_at: made_at + INTERVAL '1 hour'
model: {{task: binary, estimator: "serving_pipeline:make"}}
"""


def write_product(folder: Path) -> None:
    """A product folder: data, contract, product file, and the module that makes the estimator."""
    from seatrial.contract.model import Contract
    from seatrial.contract.odcs import write_contract

    folder.mkdir(parents=True)
    _examples().write_parquet(folder / "examples.parquet")
    (folder / "product.yaml").write_text(PRODUCT_FILE)
    (folder / "contract.yaml").write_text(
        write_contract(Contract(id="serving-work", version="1.0.0", tables=(_table(),)))
    )
    shutil.copy(Path(__file__).with_name("serving_systems") / "serving_pipeline.py", folder)


def _table() -> Any:
    from seatrial.contract.model import ColumnContract, TableContract

    numbers = [
        ColumnContract(name=name, type="float", role="feature", required=True, minimum=-10, maximum=10)
        for name in FEATURES
    ]
    others = (
        ColumnContract(name="key", type="string", role="key", required=True, unique=True),
        ColumnContract(name="made_at", type="timestamp", role="made_at", required=True),
        ColumnContract(name="known_at", type="timestamp", role="known_at"),
        ColumnContract(name="label", type="bool", role="outcome"),
    )
    return TableContract(name="examples", columns=(*others, *numbers))


def _examples() -> Any:
    """20,000 rows over 200 days; the label hangs on four of the numbers, in no straight line, and on chance."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(0)
    matrix = random.normal(size=(EXAMPLES, len(FEATURES))).clip(-9, 9)
    made_at = [START + timedelta(days=200) * row / EXAMPLES for row in range(EXAMPLES)]
    times = pl.Series("made_at", made_at, dtype=pl.Datetime("us", "UTC"))
    columns = {name: matrix[:, number] for number, name in enumerate(FEATURES)}
    first, second, third, fourth = matrix.T[:4]
    label = first * second + abs(third) - 0.8 + fourth + random.normal(size=EXAMPLES) > 0
    keys = [f"E{row:05d}" for row in range(EXAMPLES)]
    known_at = (times + timedelta(hours=1)).alias("known_at")
    return pl.DataFrame({"key": keys, "made_at": times, "known_at": known_at, "label": label, **columns})


def asked_rows() -> list[list[float]]:
    """The rows that are asked about: numbers of six decimals, as bodies write them."""
    import numpy as np

    matrix = np.random.default_rng(1).normal(size=(BODIES, len(FEATURES))).clip(-9, 9).round(6)
    return [[float(value) for value in row] for row in matrix]


def ours(rows: list[list[float]], first: int) -> str:
    """Keys, decision times and numbers by name, for Seatrial and for the bare stack."""
    made_at = f"{START + timedelta(days=300):%Y-%m-%dT%H:%M:%SZ}"
    named = [
        {"key": f"K{first + at:06d}", "made_at": made_at, **dict(zip(FEATURES, row, strict=True))}
        for at, row in enumerate(rows)
    ]
    return json.dumps({"rows": named}, separators=(",", ":"))


def named(rows: list[list[float]], _: int) -> str:
    """Numbers by name."""
    return json.dumps(
        {"rows": [dict(zip(FEATURES, row, strict=True)) for row in rows]}, separators=(",", ":")
    )


def listed(rows: list[list[float]], _: int) -> str:
    """Lists of numbers, without names."""
    return json.dumps({"rows": rows}, separators=(",", ":"))


def tensor(rows: list[list[float]], _: int) -> str:
    """A tensor of the Open Inference Protocol."""
    data = [value for row in rows for value in row]
    one = {"name": "x", "shape": [len(rows), len(FEATURES)], "datatype": "FP64", "data": data}
    return json.dumps({"inputs": [one]}, separators=(",", ":"))


def inputs(rows: list[list[float]], _: int) -> str:
    """MLflow's lists."""
    return json.dumps({"inputs": rows}, separators=(",", ":"))


def arrow(rows: list[list[float]], first: int) -> str:
    """What `ours` says as an Arrow stream, in hexadecimal digits."""
    import polars as pl

    frame = pl.DataFrame(json.loads(ours(rows, first))["rows"]).with_columns(
        pl.col("made_at").str.to_datetime(time_unit="us", time_zone="UTC")
    )
    stream = BytesIO()
    frame.write_ipc_stream(stream, compat_level=pl.CompatLevel.oldest())
    return stream.getvalue().hex()


BODY = {"ours": ours, "arrow": arrow, "named": named, "listed": listed, "tensor": tensor, "inputs": inputs}


def scores(answer: Any) -> list[float]:
    """The scores of any system's answer, in the order of the rows."""
    if isinstance(answer, list):
        return [float(score) for score in answer]
    if "scores" in answer:
        return [float(score) for score in answer["scores"]]
    if "outputs" in answer:
        (output,) = answer["outputs"]
        return [float(score) for score in output["data"][output["shape"][1] - 1 :: output["shape"][1]]]
    predictions = answer["predictions"]
    if isinstance(predictions[0], dict):
        return [float(one["score"]) for one in predictions]
    return [float(one[1]) for one in predictions]

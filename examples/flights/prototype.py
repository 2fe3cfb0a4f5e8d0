"""What a data scientist brings: a table of January to March and a fitted scikit-learn pipeline.

`python prototype.py OUTDIR` writes `prototype.parquet` (key, decision time, features, outcomes) and
`prototype.joblib` (the pipeline, fitted on a Polars frame of the features: text without nulls, numbers float32).
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import joblib
import numpy as np
import polars as pl
import sources
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

UNTIL = datetime(2013, 4, 1, 4, tzinfo=UTC)  # midnight in New York
KEY = ["flight_id", "decision_at"]
OUTCOMES = ["late", "delay_minutes"]
WORDS = ["carrier", "origin", "dest", "manufacturer"]
NUMBERS = [
    "sched_minute_of_day",
    "day_of_week",
    "distance",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
    "plane_year",
    "seats",
    "leg_delay",
    "hours_since_leg",
    "recent_delay",
    "waiting_share",
]


def table() -> pl.DataFrame:
    """One row per flight of January to March: key, decision time, features as known by then, outcomes."""
    since_leg = (pl.col("decision_at") - pl.col("landed_at")).dt.total_minutes() / 60
    # All flights without a tail number were cancelled: with them a model learns the gap, not the delay.
    planned = sources.flights().filter(pl.col("decision_at") < UNTIL).drop_nulls("tailnum")
    return (
        planned.join(sources.planes(), on="tailnum", how="left")
        .pipe(_latest, sources.weather(), by="origin", at="observed_at", after=timedelta(minutes=60))
        .pipe(_latest, sources.legs(), by="tailnum", at="landed_at", after=timedelta(0))
        .pipe(_latest, sources.board(), by="origin", at="at", after=timedelta(minutes=5))
        .with_columns(since_leg.alias("hours_since_leg"))
        .select(KEY + WORDS + NUMBERS + OUTCOMES)
        .sort("decision_at", "flight_id")
    )


def features(rows: pl.DataFrame) -> pl.DataFrame:
    """The model's input: text with "" for missing, then float32 numbers with NaN for missing."""
    numbers = pl.col(NUMBERS).cast(pl.Float32).fill_null(float("nan"))
    return rows.select(pl.col(WORDS).fill_null(""), numbers)


def pipeline() -> Pipeline:
    """An unfitted pipeline from `features` to the probability of a late flight."""
    # Ordinal codes convert to ONNX exactly and refit a year in seconds; one-hot columns do neither.
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)
    columns = ColumnTransformer([("words", codes, WORDS), ("numbers", "passthrough", NUMBERS)])
    trees = HistGradientBoostingClassifier(max_iter=50, early_stopping=False, random_state=0)
    return Pipeline([("columns", columns), ("trees", trees)])


def main(folder: Path) -> None:
    """Writes both files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = table()
    model = pipeline().fit(features(rows), rows["late"].to_numpy())
    rows.write_parquet(folder / "prototype.parquet")
    joblib.dump(model, folder / "prototype.joblib")
    print(
        f"{rows.height} flights, {len(WORDS + NUMBERS)} features, {rows['late'].sum() / rows.height:.1%} late"
    )


def _latest(left: pl.DataFrame, right: pl.DataFrame, by: str, at: str, after: timedelta) -> pl.DataFrame:
    """`left` with the newest row of `right` that was available at `decision_at`: its time `at` plus `after`."""
    available = right.with_columns((pl.col(at) + after).alias("available_at")).sort("available_at")
    joined = left.sort("decision_at").join_asof(
        available, left_on="decision_at", right_on="available_at", by=by, check_sortedness=False
    )
    return joined.drop("available_at")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python prototype.py OUTDIR")
    main(Path(sys.argv[1]))

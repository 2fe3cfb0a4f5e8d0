"""Training-serving skew, measured: what the server logged, beside the same decisions computed again from the sources.

A decision is found again by its key and moment. Where a feature differs, the cause is named from what is on record:
which product file answered, when each row of a source came in, and what the lookup told at other times.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.masking import MARK
from seatrial.data.causes import ABSENT, CAUSES, REQUEST, UNEXPLAINED, Causes
from seatrial.facts.prediction import Variant
from seatrial.product.hidden import hidden_in_examples
from seatrial.product.product import Product

SHOWN = 20


class FeatureSkew(msgspec.Struct, frozen=True, kw_only=True):
    """One feature: rows `compared`, rows that differ, the largest difference of numbers, and rows per cause."""

    feature: str
    compared: int
    differing: int
    largest: float | None
    causes: dict[str, int]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One value that differs, to look at."""

    prediction_id: str
    key: str
    made_at: datetime
    feature: str
    served: Any
    recomputed: Any
    cause: str


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison. Of `answers`, `compared` were found in the sources; `missed` counts the others by cause."""

    product: str
    answers: int
    compared: int
    missed: dict[str, int]
    features: tuple[FeatureSkew, ...]
    differences: tuple[Difference, ...]

    @property
    def unexplained(self) -> int:
        """How many values differ without a cause that is on record."""
        return sum(one.causes.get(UNEXPLAINED, 0) for one in self.features)


def measure_skew(
    product: Product,
    predictions: pl.DataFrame,
    examples: pl.DataFrame,
    lookups: Mapping[str, pl.DataFrame],
    *,
    arrivals: Mapping[str, pl.DataFrame],
    requests: pl.DataFrame | None = None,
    other_files: frozenset[str] = frozenset(),
) -> Skew:
    """The skew of answered predictions.

    `examples` and `lookups` (prepared, by name) are as the sources have them now. `arrivals` tells per lookup when
    its rows came in, by key and event time, `requests` the same of the examples' source by key (`came_in`).
    `other_files` are releases whose product file is not this product's.
    """
    paired = _paired(product, predictions, examples)
    found = paired.filter("__there")
    missed = paired.filter(~pl.col("__there"))
    elsewhere = missed["key"].is_in(examples[product.key].cast(pl.String).implode()).sum()
    causes = Causes(product, lookups, arrivals, requests, other_files)
    judged = causes.judge(found)
    counts = {REQUEST: int(elsewhere), ABSENT: missed.height - int(elsewhere)}
    return Skew(
        product=product.name,
        answers=paired.height,
        compared=found.height,
        missed={cause: count for cause, count in counts.items() if count},
        features=tuple(_feature(judged, name) for name in causes.names),
        differences=tuple(_shown(product, judged, causes.names)),
    )


def _paired(product: Product, predictions: pl.DataFrame, examples: pl.DataFrame) -> pl.DataFrame:
    """Answers with their features as `feature_…`, and as recomputed as `again_…` where `__there`."""
    answers = predictions.filter(pl.col("assigned") != Variant.SHADOW.value)
    again = examples.select(
        pl.col(product.key).cast(pl.String).alias("key"),
        pl.col(product.made_at).alias("made_at"),
        *(pl.col(name).alias(f"again_{name}") for name in product.columns),
        pl.lit(True).alias("__there"),
    ).unique(["key", "made_at"], keep="last")
    paired = answers.unique("prediction_id", keep="first", maintain_order=True)
    joined = paired.join(again, on=["key", "made_at"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("__there").fill_null(False))


def _feature(judged: pl.DataFrame, name: str) -> FeatureSkew:
    differing = judged.filter(f"differs_{name}")
    counts = differing[f"cause_{name}"].value_counts().rows()
    largest = None
    if judged.schema[f"feature_{name}"].is_numeric():
        away = (differing[f"feature_{name}"] - differing[f"again_{name}"]).abs().cast(pl.Float64).max()
        largest = away if isinstance(away, float) else None
    return FeatureSkew(
        feature=name,
        compared=judged.height,
        differing=differing.height,
        largest=largest,
        causes={cause: count for cause in CAUSES for found, count in counts if found == cause},
    )


def _shown(product: Product, judged: pl.DataFrame, names: list[str]) -> list[Difference]:
    """The first differences of every feature, up to SHOWN in all, the unexplained ones first; masked where hidden."""
    hidden = hidden_in_examples(product)
    found: list[Difference] = []
    for name in names:
        columns = ("prediction_id", "key", "made_at", f"feature_{name}", f"again_{name}", f"cause_{name}")
        rows = judged.filter(f"differs_{name}").sort(pl.col(f"cause_{name}") != UNEXPLAINED)
        for id, key, made_at, served, again, cause in rows.select(columns).head(SHOWN).rows():
            values = (MARK, MARK) if name in hidden else (served, again)
            found.append(
                Difference(
                    prediction_id=id,
                    key=MARK if product.key in hidden else key,
                    made_at=made_at,
                    feature=name,
                    served=values[0],
                    recomputed=values[1],
                    cause=cause,
                )
            )
    return sorted(found, key=lambda one: one.cause != UNEXPLAINED)[:SHOWN]

"""A product, ready to use: its file, its contract, and its expressions compiled against the contract."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from seatrial.contract.model import Contract, TableContract
from seatrial.contract.types import TIMESTAMP
from seatrial.errors import ProductFileInvalid
from seatrial.product.expressions import Expression
from seatrial.product.features import Feature
from seatrial.product.schema import Lookup, Objective, Owner, ProductFile

MATURED_AT = "matured_at"


@dataclass(frozen=True)
class CompiledObjective:
    """The compiled expressions of an objective. `digest` names the version under which value is booked."""

    section: Objective
    decision: Expression
    value: Expression
    baseline: Expression
    digest: str


@dataclass(frozen=True)
class Product:
    """A validated product.

    `columns` maps everything an example holds before its outcome (request, lookups, derived) to its contract
    type; `features` are the model's inputs in order; `lookup_names` maps, per lookup, source columns to
    example columns. `folder` is where Python sources and the estimator are found; None for a product that was
    read from a bundle.
    """

    file: ProductFile
    contract: Contract
    texts: tuple[str, str]
    folder: Path | None
    columns: dict[str, str]
    features: tuple[Feature, ...]
    lookup_names: dict[str, dict[str, str]]
    derive: dict[str, Expression]
    matured_at: Expression
    compiled_objective: CompiledObjective | None

    @property
    def name(self) -> str:
        """The product's name."""
        return self.file.product

    @property
    def digest(self) -> str:
        """The digest of the product file and contract, as written."""
        return text_digest(*self.texts)

    @property
    def key(self) -> str:
        """The column that identifies a row."""
        return self.file.examples.key

    @property
    def made_at(self) -> str:
        """The column with the moment of the decision."""
        return self.file.examples.made_at

    @property
    def label(self) -> str:
        """The boolean outcome column."""
        return self.file.examples.outcome.label

    @property
    def outcome_columns(self) -> tuple[str, ...]:
        """The label and the further columns known later."""
        return (self.label, *self.file.examples.outcome.also)

    @property
    def request(self) -> TableContract:
        """The contract of the table that examples come from."""
        table = self.contract.table(self.file.examples.source)
        assert table is not None  # read_product refuses a product without it
        return table

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The columns a request must bring: all that is known at the decision, without lookups and derived."""
        later = {*self.outcome_columns, self.file.examples.known_at}
        return tuple(column.name for column in self.request.columns if column.name not in later)

    @property
    def objective(self) -> CompiledObjective:
        """The objective. Raises ProductFileInvalid when the product file has none."""
        if self.compiled_objective is None:
            raise ProductFileInvalid(
                ["objective: missing; say what a decision is worth (unit, value, value_range, baseline)"],
                name=self.name,
            )
        return self.compiled_objective

    @property
    def owner(self) -> Owner | None:
        """Who answers for the product, if said."""
        return self.file.owner

    def lookup(self, name: str) -> Lookup:
        """A declared lookup."""
        return self.file.examples.lookups[name]

    def lookup_source(self, name: str) -> str:
        """The source that a lookup reads: `source`, or the lookup's own name."""
        return self.lookup(name).source or name

    def derived(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with the derived columns and `matured_at`; it must hold the request and lookup columns."""
        for name, expression in self.derive.items():
            frame = frame.with_columns(expression.polars.alias(name))
        return frame.with_columns(self.matured_at.polars.cast(TIMESTAMP).alias(MATURED_AT))

    def baseline(self, frame: pl.DataFrame) -> pl.Series:
        """What would be done without the model, per row; unknown counts as not acting."""
        return frame.select(self.objective.baseline.polars.fill_null(False).alias("baseline"))["baseline"]

    def decide(self, frame: pl.DataFrame, scores: pl.Series, threshold: float) -> pl.Series:
        """The decision per row; null where the score is missing or not a number, never a lucky comparison."""
        score = pl.when(pl.col("score").is_finite()).then(pl.col("score"))
        scored = frame.with_columns(scores.cast(pl.Float64).alias("score"), threshold=pl.lit(threshold))
        scored = scored.with_columns(score.alias("score"))
        decision = pl.when(pl.col("score").is_not_null()).then(self.objective.decision.polars)
        return scored.select(decision.alias("decision"))["decision"]

    def value(self, frame: pl.DataFrame, decision: pl.Series) -> pl.DataFrame:
        """Columns `value` (in the objective's unit, capped to its range) and `capped`, per row.

        Both are null where an outcome column that the value reads is unknown.
        """
        objective = self.objective
        lowest, highest = objective.section.value_range
        known = pl.all_horizontal(
            pl.lit(True),
            *(pl.col(name).is_not_null() for name in self.outcome_columns if name in objective.value.reads),
            pl.col(self.label).is_not_null(),
        )
        raw = pl.when(known).then(objective.value.polars)
        valued = frame.with_columns(decision.cast(pl.Boolean).alias("decision")).select(raw.alias("raw"))
        return valued.select(
            pl.col("raw").clip(lowest, highest).alias("value"),
            (pl.col("raw").is_between(lowest, highest).not_()).alias("capped"),
        )

    def block(self, moments: pl.Series) -> pl.Series:
        """The dependence unit of each row, by its decision time: the UTC day, as text."""
        return moments.dt.strftime("%Y-%m-%d").alias("block")


def text_digest(*texts: str) -> str:
    """`sha256:<hex>` over texts, each with its length, so that no two lists collide."""
    digest = hashlib.sha256()
    for text in texts:
        body = text.encode()
        digest.update(f"{len(body)}:".encode() + body)
    return f"sha256:{digest.hexdigest()}"

"""The fields of `product.yaml`, as this version acts on them. What it does not act on is not accepted."""

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from seatrial.contract.zones import check_zone
from seatrial.product.amounts import parse_budget, parse_duration, parse_share, parse_size

NAME_PATTERN = "^[a-z][a-z0-9-]*$"
NAME_WORDS = "small letters, digits and dashes, beginning with a letter"
_COLUMN_PATTERN = "^[a-z][a-z0-9_]*$"
SOURCE_KINDS = ("path", "sql", "delta", "python", "dlt")

Share = Annotated[float, BeforeValidator(parse_share)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
Expression = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]


def _check_product_name(text: str) -> str:
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError(f"expected {NAME_WORDS}")
    return text


def _check_name(text: str) -> str:
    if not re.fullmatch(_COLUMN_PATTERN, text):
        raise ValueError("expected small letters, digits and underscores, beginning with a letter")
    return text


# The patterns are for the JSON Schema; what people read is the sentence.
ProductName = Annotated[
    str, AfterValidator(_check_product_name), Field(json_schema_extra={"pattern": NAME_PATTERN})
]
Name = Annotated[str, AfterValidator(_check_name), Field(json_schema_extra={"pattern": _COLUMN_PATTERN})]


def _yes_or_no(value: object) -> object:
    # YAML 1.1 reads an unquoted yes or no as a truth value.
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Owner(_Section):
    """Who answers for the product."""

    business: str = Field(min_length=3)
    engineering: str = Field(min_length=3)


class Objective(_Section):
    """What a decision is worth, and what is done today."""

    unit: str = Field(min_length=1)
    decision: Expression = "score >= threshold"
    threshold: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] = "auto"
    value: Expression
    value_range: tuple[float, float]
    baseline: Expression
    # Units that get the baseline's decision, whatever the model says: what the model's own effect is measured by.
    holdout: Annotated[Share, Field(lt=1)] = 0.0
    # `yes` needs value that is measured by the holdout, which this version does not have.
    outcome_depends_on_action: Annotated[Literal["no"], BeforeValidator(_yes_or_no)]

    @model_validator(mode="after")
    def _range_is_ordered(self) -> "Objective":
        if self.value_range[0] >= self.value_range[1]:
            raise ValueError("value_range must be [lowest, highest] with lowest below highest")
        return self


class CsvFormat(_Section):
    """How CSV files are written, where they are not as usual."""

    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ("", "NA")


class Source(_Section):
    """Where one table comes from: files, an SQL query, a Delta table, a Python function or a dlt resource.

    `path` is a file, glob or URL; `url` an SQLAlchemy URL; `python` and `dlt` name `module:function` beside the
    product file. `incremental` names the column whose largest value so far is where the next reading goes on.
    `options` go to the object store or database; their values, and `url`, may be `env:NAME` or `file:PATH`.
    `every` is how often the loop reads the source by itself; without, it is read when a snapshot is made.
    `timezone`, as in Europe/Lisbon, is the zone of its times that say none; without, the contract refuses them.
    """

    path: str | None = None
    format: Literal["csv", "jsonl", "parquet", "arrow"] | None = None
    csv: CsvFormat = CsvFormat()
    sql: str | None = None
    url: str | None = None
    delta: str | None = None
    python: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None
    dlt: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None
    incremental: str | None = None
    options: dict[str, str] = {}
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    every: Seconds | None = None
    timezone: Annotated[str, AfterValidator(check_zone)] | None = None

    @property
    def kind(self) -> str:
        """Which of the kinds it is: path, sql, delta, python or dlt."""
        return next(kind for kind in SOURCE_KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _exactly_one(self) -> "Source":
        if sum(getattr(self, kind) is not None for kind in SOURCE_KINDS) != 1:
            raise ValueError(f"a source needs exactly one of {', '.join(SOURCE_KINDS)}")
        if (self.sql is None) != (self.url is None):
            raise ValueError("sql and url belong together: the query, and the database that it is put to")
        if self.format is not None and self.path is None:
            raise ValueError("format is for files, with path")
        return self


class OutcomeColumns(_Section):
    """The label (boolean) and further columns known later that the value needs."""

    label: str
    also: tuple[str, ...] = ()


class Lookup(_Section):
    """Columns of another source, joined by key; with `as_of`, the latest row known when the decision is made.

    `as_of` is the time that a row tells of. It counts as known at `known_at`, a column, or else `available_after`
    seconds after `as_of`; of the rows known at a decision, the one that tells of the latest time stands.
    """

    source: str | None = None
    on: tuple[str, ...] = Field(min_length=1)
    as_of: str | None = None
    known_at: str | None = None
    available_after: Seconds = 0.0
    columns: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _delay_needs_time(self) -> "Lookup":
        if self.available_after and self.as_of is None:
            raise ValueError("available_after needs as_of: without a time column nothing can be late")
        if self.known_at is not None and self.as_of is None:
            raise ValueError("known_at needs as_of: the time that the row tells of")
        if self.known_at is not None and self.available_after:
            raise ValueError("either known_at or available_after tells when a row is known, not both")
        return self


class Examples(_Section):
    """How rows become examples: key, decision time, outcome, when it is known and matured, lookups, derived.

    `known_at_decision` are columns that people say are known at the decision although the data look otherwise.
    """

    source: str = Field(alias="from")
    key: str
    made_at: str
    outcome: OutcomeColumns
    known_at: str
    matured_at: Expression
    lookups: dict[Name, Lookup] = {}
    derive: dict[Name, Expression] = {}
    known_at_decision: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known_before_or_after(self) -> "Examples":
        later = {self.outcome.label, *self.outcome.also, self.known_at}
        if both := [name for name in self.known_at_decision if name in later]:
            raise ValueError(f"known_at_decision: {', '.join(both)} cannot be known only later as well")
        return self


class ModelSection(_Section):
    """The task and the estimator: a fitted prototype in a file with the digest that was consented to, or a factory."""

    task: Literal["binary"]
    estimator: str = Field(min_length=1)
    consented: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    features: tuple[str, ...] | Literal["all"] = "all"


class Train(_Section):
    """How much of the newest matured history validates, and the seed."""

    validate_share: Annotated[Share, Field(gt=0, lt=0.9)] = Field(default=0.2, alias="validate")
    # What NumPy and scikit-learn take as a seed.
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    slices: tuple[str, ...] = ()


class IsolatedModel(_Section):
    """What a model that runs in a process of its own may use: seconds per call, and memory."""

    timeout: Annotated[Seconds, Field(gt=0)] = 5.0
    memory: Size = 2 * 2**30


class JournalSection(_Section):
    """Which losses of power an answer survives, and what happens when the journal cannot be written.

    An answer always survives the death of the server. With `fsync: batch` it survives a loss of power too; a number
    of seconds is how much a loss of power may take. `unavailable: refuse` answers 503; `answer` goes on and counts
    what was not recorded.
    """

    fsync: Literal["batch"] | Annotated[Seconds, Field(gt=0)] = 1.0
    unavailable: Literal["refuse", "answer"] = "refuse"


class Serve(_Section):
    """The per-request deadline, what answers when the model cannot, and how answers are recorded."""

    deadline: Seconds = 1.0
    fallback: Literal["baseline"] = "baseline"
    model: IsolatedModel = IsolatedModel()
    journal: JournalSection = JournalSection()


class Observe(_Section):
    """The budget of false alarms, the loss of value per day that is tolerated, and which rows share shocks."""

    false_alarms: Annotated[float, BeforeValidator(parse_budget)] = 1.0
    harm_tolerance: Annotated[float, Field(ge=0)] = 0.0
    dependence: Literal["day"] = "day"


class ShadowPhase(_Section):
    """How many matured outcomes a shadow must have seen."""

    outcomes: Annotated[int, Field(ge=0)] = 500


class ReleaseSection(_Section):
    """The way of a release to the live phase."""

    shadow: ShadowPhase = ShadowPhase()
    canary: tuple[Annotated[Share, Field(gt=0, lt=1)], ...] = (0.05, 0.25, 0.5)
    confidence: Annotated[Share, Field(gt=0.5, lt=1)] = 0.95
    approve: tuple[Literal["live"], ...] = ()

    @field_validator("canary")
    @classmethod
    def _shares_ascend(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in pairwise(shares)):
            raise ValueError("each share must be larger than the one before it, or it would be skipped")
        return shares


class Retrain(_Section):
    """What makes the loop retrain, and how often at most."""

    on: tuple[Literal["harm", "age"], ...] = ("harm", "age")
    max_age: Seconds = 120 * 86400.0
    at_most: Seconds = 7 * 86400.0


class Governance(_Section):
    """How long rows are kept: what is older, by its decision or event time, is erased."""

    retention: Annotated[Seconds, Field(gt=0)] | None = None


class ProductFile(_Section):
    """The whole product file."""

    product: ProductName
    purpose: str = Field(min_length=10)
    owner: Owner | None = None
    objective: Objective | None = None
    contract: str = "contract.yaml"
    sources: dict[Name, Source] = Field(min_length=1)
    examples: Examples
    model: ModelSection
    train: Train = Train()
    serve: Serve = Serve()
    observe: Observe = Observe()
    release: ReleaseSection = ReleaseSection()
    retrain: Retrain = Retrain()
    governance: Governance = Governance()

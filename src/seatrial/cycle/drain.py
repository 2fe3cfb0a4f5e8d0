"""Sealed journal segments into the tables, each exactly once, in whatever order they come."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.types import polars_schema, polars_type
from seatrial.cycle.aside import segment_id, set_aside, tell_put_back, tell_unfit
from seatrial.cycle.fitting import fitted, in_columns, wider
from seatrial.errors import DataRefused
from seatrial.facts.job import Lease
from seatrial.facts.prediction import Outcome, Prediction
from seatrial.facts.records import OUTCOMES, decode_outcome, decode_prediction
from seatrial.facts.release import Bundle, Phase, Release
from seatrial.facts.tables import OUTCOMES as OUTCOME_COLUMNS
from seatrial.facts.tables import PREDICTIONS as PREDICTION_COLUMNS
from seatrial.facts.tables import table_name
from seatrial.ports.journal import Segment
from seatrial.ports.workspace import Workspace
from seatrial.product.bundle import bundled_product
from seatrial.product.product import Product

_SERVING = (Phase.LIVE, Phase.CANARY, Phase.SHADOW)
# A prediction is its id under its release, an outcome all that was reported.
_IDENTITY = {"predictions": ("prediction_id", "release", "served"), "outcomes": None}


@dataclass(frozen=True)
class Drained:
    """What newly reached the tables, in the columns of the present product.

    `unfit` counts, per stored column, the values that did not fit its type and are missing; `aside` counts the
    segments that could not be stored at all.
    """

    predictions: pl.DataFrame
    outcomes: pl.DataFrame
    segments: int
    cut_bytes: int
    unfit: dict[str, int] = field(default_factory=dict)
    aside: int = 0


def drain(workspace: Workspace, product: Product, *, lease: Lease | None = None) -> Drained:
    """Move every sealed segment into its table; the segment's name is the commit's, so repeats add nothing.

    A segment that cannot be stored is set aside with an open incident; the others go on. Raises LeaseLost when
    that cannot be told, since another worker holds the lease.
    """
    work = _Drain(workspace, product, lease)
    for segment in workspace.journal.sealed():
        work.take(segment)
    return work.ended()


def predictions_schema(product: Product) -> dict[str, Any]:
    """The columns of the `predictions` table: the fixed ones, then `feature_<name>` per known column."""
    return {**polars_schema(PREDICTION_COLUMNS), **_own_columns("predictions", product)}


def outcomes_schema(product: Product) -> dict[str, Any]:
    """The columns of the `outcomes` table: the fixed ones, then `outcome_<name>` per outcome column."""
    return {**polars_schema(OUTCOME_COLUMNS), **_own_columns("outcomes", product)}


@dataclass
class _Drain:
    """One pass over the journal."""

    workspace: Workspace
    product: Product
    lease: Lease | None

    def __post_init__(self) -> None:
        self.fresh: dict[str, list[pl.DataFrame]] = {"predictions": [], "outcomes": []}
        self.unfit: Counter[str] = Counter()
        self.segments = self.cut_bytes = self.aside = 0
        self._stored: set[str] = set()
        self._releases: dict[str, Release] | None = None
        self._products: dict[tuple[str, str], Product] = {}

    def take(self, segment: Segment) -> None:
        """Store one segment and discard it, or set it aside."""
        table = "outcomes" if segment.kind == OUTCOMES else "predictions"
        try:
            facts = _decoded(table, segment.records)
        except msgspec.MsgspecError as error:
            self._set_aside(segment, f"a record does not decode: {error}")
            return
        frame, unfit = self._frame(table, facts)
        try:
            is_new = frame.height > 0 and self._store(table, frame, segment)
        except DataRefused as error:
            self._set_aside(segment, str(error))
            return
        if is_new:
            self.fresh[table].append(frame)
            self.unfit.update(unfit)
        self.workspace.journal.discard(segment)
        self._stored.add(segment_id(segment))
        self.segments, self.cut_bytes = self.segments + 1, self.cut_bytes + segment.cut_bytes

    def ended(self) -> Drained:
        """What the pass did; what people must know is recorded."""
        name = self.product.name
        if self.unfit:
            tell_unfit(self.workspace, name, self.unfit, lease=self.lease)
        if self._stored:
            tell_put_back(self.workspace, name, self._stored, lease=self.lease)
        return Drained(
            predictions=_together(self.fresh["predictions"], predictions_schema(self.product)),
            outcomes=_together(self.fresh["outcomes"], outcomes_schema(self.product)),
            segments=self.segments,
            cut_bytes=self.cut_bytes,
            unfit=dict(self.unfit),
            aside=self.aside,
        )

    def _set_aside(self, segment: Segment, reason: str) -> None:
        set_aside(self.workspace, self.product.name, segment, reason, lease=self.lease)
        self.aside += 1

    def _store(self, table: str, frame: pl.DataFrame, segment: Segment) -> bool:
        """Whether the rows were not in the table yet; now they are."""
        tables, name = self.workspace.tables, table_name(self.product.name, table)
        writer = f"{segment.kind}:{segment.writer}"
        if tables.append(name, frame, writer=writer, version=segment.number):
            return True
        # Committed before, or a later segment of this writer came first: only the rows themselves tell.
        if self._holds(table, frame):
            return False
        return tables.append(name, frame, writer=f"{writer}:{segment.number}", version=1)

    def _holds(self, table: str, frame: pl.DataFrame) -> bool:
        received = pl.col("received_at")
        around = received.is_between(frame["received_at"].min(), frame["received_at"].max())
        stored = self.workspace.tables.read(table_name(self.product.name, table), where=around)
        identity = [name for name in _IDENTITY[table] or frame.columns if name in stored.columns]
        return frame.join(stored, on=identity, how="anti", nulls_equal=True).is_empty()

    def _frame(
        self, table: str, facts: Sequence[Prediction | Outcome]
    ) -> tuple[pl.DataFrame, dict[str, int]]:
        fixed = PREDICTION_COLUMNS if table == "predictions" else OUTCOME_COLUMNS
        data = {column.name: [getattr(fact, column.name) for fact in facts] for column in fixed}
        frame = pl.DataFrame(data, schema=polars_schema(fixed), strict=False)
        held = [_held(fact) for fact in facts]
        columns = {column: (_plain(column), dtype) for column, dtype in self._columns(table, facts).items()}
        found = {
            column: fitted(column, [one.get(name) for one in held], dtype)
            for column, (name, dtype) in columns.items()
        }
        unfit = {column: count for column, (_, count) in found.items() if count}
        return frame.with_columns(series for series, _ in found.values()), unfit

    def _columns(self, table: str, facts: Sequence[Prediction | Outcome]) -> dict[str, Any]:
        """What the products that served declare, in the types that are stored already, or else in theirs.

        The present folder may be ahead of what serves: of its columns, only those that a record holds count.
        """
        declared: dict[str, Any] = {}
        served = list(self._served({fact.release for fact in facts if isinstance(fact, Prediction)}))
        for product in served or [self.product]:
            for name, dtype in _own_columns(table, product).items():
                declared[name] = wider(declared.get(name, dtype), dtype)
        held = {name for fact in facts for name in _held(fact)}
        for name, dtype in _own_columns(table, self.product).items():
            if _plain(name) in held:
                declared.setdefault(name, dtype)
        return {**declared, **self._stored_types(table, declared)}

    def _stored_types(self, table: str, names: Iterable[str]) -> dict[str, Any]:
        name = table_name(self.product.name, table)
        schema = self.workspace.tables.read(name, where=pl.lit(value=False)).schema
        return {column: schema[column] for column in names if column in schema}

    def _served(self, named: set[str]) -> Iterator[Product]:
        """The products of the releases that serve, and of those that the records name, each once."""
        if self._releases is None:
            with self.workspace.metadata.begin() as transaction:
                self._releases = {r.id: r for r in transaction.all(Release, self.product.name)}
        bundles = [r.bundle for r in self._releases.values() if r.phase in _SERVING or r.id in named]
        yield from {(b.product_file, b.contract): self._released(b) for b in bundles}.values()

    def _released(self, bundle: Bundle) -> Product:
        texts = bundle.product_file, bundle.contract
        if texts not in self._products:
            self._products[texts] = bundled_product(bundle, self.workspace.artifacts)
        return self._products[texts]


def _own_columns(table: str, product: Product) -> dict[str, Any]:
    if table == "predictions":
        kinds = product.columns.items()
        return {f"feature_{name}": polars_type(kind) for name, kind in kinds if kind != "timestamp"}
    columns = (product.request.column(name) for name in product.outcome_columns)
    return {f"outcome_{column.name}": polars_type(column.type) for column in columns if column is not None}


def _decoded(table: str, records: Sequence[bytes]) -> Sequence[Prediction | Outcome]:
    return [(decode_prediction if table == "predictions" else decode_outcome)(record) for record in records]


def _held(fact: Prediction | Outcome) -> dict[str, float | int | bool | str | None]:
    return fact.features if isinstance(fact, Prediction) else fact.values


def _plain(column: str) -> str:
    return column.split("_", 1)[1]


def _together(frames: list[pl.DataFrame], schema: dict[str, Any]) -> pl.DataFrame:
    return (
        pl.concat([in_columns(frame, schema) for frame in frames]) if frames else pl.DataFrame(schema=schema)
    )

"""What the journal holds as rows of the tables: column by column, in the types in which they are stored."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from seatrial.contract.types import polars_schema, polars_type
from seatrial.cycle.block_rows import BlockRows
from seatrial.cycle.fitting import fitted, wider
from seatrial.facts.action import Action
from seatrial.facts.prediction import Outcome, PredictionBlock
from seatrial.facts.release import Bundle, Phase, Release
from seatrial.facts.tables import ACTIONS, OUTCOMES, PREDICTIONS, table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.bundle import bundled_product
from seatrial.product.product import Product

_SERVING = (Phase.LIVE, Phase.CANARY, Phase.SHADOW)
_FEATURE, _OUTCOME = "feature_", "outcome_"

# A frame in the columns of its table, and per column how many values did not fit its type and are missing there.
Framed = tuple[pl.DataFrame, dict[str, int]]


def predictions_schema(product: Product) -> dict[str, Any]:
    """The columns of the `predictions` table: the fixed ones, then `feature_<name>` per known column."""
    return {**polars_schema(PREDICTIONS), **_feature_columns(product)}


def outcomes_schema(product: Product) -> dict[str, Any]:
    """The columns of the `outcomes` table: the fixed ones, then `outcome_<name>` per outcome column."""
    return {**polars_schema(OUTCOMES), **_outcome_columns(product)}


def predictions_frame(blocks: Iterable[PredictionBlock], workspace: Workspace, product: Product) -> Framed:
    """Predictions as rows of the `predictions` table, in the order of the blocks, and what did not fit per column.

    The feature columns are those of the releases that serve and of those that the blocks name, in the types that
    are stored already.
    """
    return Columns(workspace, product).predictions(blocks)


class Columns:
    """Lays facts out as rows of the tables. Remembers which releases there are: make a new one for each pass."""

    def __init__(self, workspace: Workspace, product: Product) -> None:
        self._workspace, self._product = workspace, product
        self._releases: dict[str, Release] | None = None
        self._products: dict[tuple[str, str], Product] = {}

    def predictions(self, blocks: Iterable[PredictionBlock]) -> Framed:
        """The rows of prediction blocks, in order."""
        rows = BlockRows()
        for block in blocks:
            rows.add(block)
        types = self._types("predictions", _FEATURE, {*rows.features}, {*rows.of_block["release"]})
        return _with(rows.frame(), types, _FEATURE, rows.feature)

    def outcomes(self, facts: Sequence[Outcome]) -> Framed:
        """The rows of outcomes, in order."""
        held = {name for fact in facts for name in fact.values}
        types = self._types("outcomes", _OUTCOME, held)
        return _with(
            _plain(facts, OUTCOMES), types, _OUTCOME, lambda name: [fact.values.get(name) for fact in facts]
        )

    def actions(self, facts: Sequence[Action]) -> Framed:
        """The rows of actions, in order."""
        return _plain(facts, ACTIONS), {}

    def _types(
        self, table: str, prefix: str, held: set[str], named: Iterable[str] = frozenset()
    ) -> dict[str, Any]:
        """What the products that served declare, in the types that are stored already, or else in theirs.

        The present folder may be ahead of what serves: of its columns, only those that a record holds count.
        """
        own = _feature_columns if prefix == _FEATURE else _outcome_columns
        declared: dict[str, Any] = {}
        for product in list(self._served(set(named))) or [self._product]:
            for name, dtype in own(product).items():
                declared[name] = wider(declared.get(name, dtype), dtype)
        for name, dtype in own(self._product).items():
            if name.removeprefix(prefix) in held:
                declared.setdefault(name, dtype)
        return {**declared, **self._stored(table, declared)}

    def _stored(self, table: str, names: Iterable[str]) -> dict[str, Any]:
        stored = table_name(self._product.name, table)
        schema = self._workspace.tables.read(stored, where=pl.lit(value=False)).schema
        return {column: schema[column] for column in names if column in schema}

    def _served(self, named: set[str]) -> Iterator[Product]:
        """The products of the releases that serve, and of those that the records name, each once."""
        if self._releases is None:
            with self._workspace.metadata.begin() as transaction:
                self._releases = {r.id: r for r in transaction.all(Release, self._product.name)}
        bundles = [r.bundle for r in self._releases.values() if r.phase in _SERVING or r.id in named]
        yield from {(b.product_file, b.contract): self._released(b) for b in bundles}.values()

    def _released(self, bundle: Bundle) -> Product:
        texts = bundle.product_file, bundle.contract
        if texts not in self._products:
            self._products[texts] = bundled_product(bundle, self._workspace.artifacts)
        return self._products[texts]


def _feature_columns(product: Product) -> dict[str, Any]:
    kinds = product.columns.items()
    return {f"{_FEATURE}{name}": polars_type(kind) for name, kind in kinds if kind != "timestamp"}


def _outcome_columns(product: Product) -> dict[str, Any]:
    columns = (product.request.column(name) for name in product.outcome_columns)
    return {f"{_OUTCOME}{column.name}": polars_type(column.type) for column in columns if column is not None}


def _plain(facts: Sequence[Outcome | Action], columns: Sequence[Any]) -> pl.DataFrame:
    data = {column.name: [getattr(fact, column.name) for fact in facts] for column in columns}
    return pl.DataFrame(data, schema=polars_schema(columns), strict=False)


def _with(frame: pl.DataFrame, types: dict[str, Any], prefix: str, values: Any) -> Framed:
    """The frame with the product's own columns behind the fixed ones."""
    found = {
        column: fitted(column, values(column.removeprefix(prefix)), dtype) for column, dtype in types.items()
    }
    unfit = {column: count for column, (_, count) in found.items() if count}
    return frame.with_columns(series for series, _ in found.values()), unfit

"""What a server answers, as typed, frozen values."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import polars as pl


class Prediction(msgspec.Struct, frozen=True):
    """One answered row. `row` is its index in what was asked.

    `score` is None when the baseline decided, and `fallback` says why it did; `variant` (live, canary or holdout)
    and `release` say who answered. Report outcomes and actions by `prediction_id`.
    """

    row: int
    prediction_id: str
    key: str
    score: float | None
    decision: bool
    release: str
    variant: str
    fallback: str | None = None


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one field of one row, by its index in what was sent."""

    row: int
    field: str
    expected: str
    received: str


class Predictions(msgspec.Struct, frozen=True):
    """The answered rows in their order; with `partial`, also the faults of the rows that were left out.

    `release` is the live one; a row may have been answered by a canary. Of a table it is read from the rows, and
    empty without any. Iterating and indexing give Prediction.
    """

    product: str
    release: str
    predictions: tuple[Prediction, ...]
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.predictions)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __getitem__(self, position: int) -> Prediction:
        return self.predictions[position]

    def frame(self) -> "pl.DataFrame":
        """One line per answered row, one column per field of Prediction."""
        import polars as pl

        columns = {
            name: [getattr(one, name) for one in self.predictions] for name in Prediction.__struct_fields__
        }
        return pl.DataFrame(columns, schema_overrides={"score": pl.Float64, "fallback": pl.String})


class Receipt(msgspec.Struct, frozen=True):
    """How many rows were recorded, and every fault of those that were refused."""

    accepted: int
    refused: tuple[Fault, ...] = ()


class Column(msgspec.Struct, frozen=True):
    """A column that a request row has, or may have."""

    name: str
    type: str
    required: bool
    description: str = ""


class ProductInfo(msgspec.Struct, frozen=True):
    """What a server says of a product: its live release and the columns of a request row."""

    product: str
    purpose: str
    release: str
    model_digest: str
    contract_version: str
    columns: tuple[Column, ...]


class Readiness(msgspec.Struct, frozen=True):
    """Whether a server answers for all its products, and the state of each; true when it does."""

    ready: bool
    products: dict[str, Any]

    def __bool__(self) -> bool:
        return self.ready

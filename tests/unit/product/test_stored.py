import polars as pl
import pytest

from seatrial.contract.types import TIMESTAMP
from seatrial.errors import DataRefused
from seatrial.product.stored import outcome_types, stored_columns, value_columns
from tests.ledger_streams import ALSO, predictions, product


def test_stored_features_come_back_under_their_names_and_types() -> None:
    back = stored_columns(product(), predictions([{"prediction_id": "a"}]), ["size", "id"])
    assert dict(back.schema) == {"at": TIMESTAMP, "id": pl.String(), "size": pl.Float64()}
    assert back.row(0)[1:] == ("key-a", 1.0)


def test_every_column_that_was_not_stored_is_named() -> None:
    poor = predictions([{"prediction_id": "a"}]).drop("feature_size", "feature_kind")
    with pytest.raises(DataRefused, match="feature_kind, feature_size"):
        stored_columns(product(), poor, ["size", "kind"])


def test_what_a_value_reads_is_told_apart_by_when_it_is_known() -> None:
    dear = product(value=ALSO, also=("minutes",))
    assert value_columns(dear) == frozenset()
    assert value_columns(product()) == {"size"}
    assert outcome_types(dear) == {"late": "bool", "minutes": "float"}

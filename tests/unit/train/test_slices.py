import numpy as np
import polars as pl
import pytest

from seatrial.errors import TrainingFailed
from seatrial.facts.model import Slice
from seatrial.train.slices import check_slices, slices
from seatrial.train.validation import make_validation
from tests.fakes.training import parcels, parcels_product


def sliced(column: str, rows: int = 600) -> tuple[Slice, ...]:
    product = parcels_product(slices=column)
    validation = make_validation(product, parcels(product, rows=rows))
    return slices(validation, validation.reached, np.ones(validation.labels.size))


def test_every_large_group_has_a_slice_the_largest_first() -> None:
    assert [part.group for part in sliced("city")] == ["Bergen", "Oslo", "Turku"]


def test_groups_below_fifty_rows_have_none() -> None:
    assert [part.group for part in sliced("city", rows=120)] == ["Bergen"]


def test_a_slice_is_the_mean_over_its_own_rows() -> None:
    product = parcels_product(slices="city")
    validation = make_validation(product, parcels(product, rows=600))
    (oslo,) = (part for part in sliced("city") if part.group == "Oslo")
    inside = (validation.frame["city"] == "Oslo").to_numpy()
    assert oslo.rows == inside.sum()
    assert oslo.value.value == pytest.approx(validation.reached[inside].mean())
    assert oslo.loss.value == 1.0


def test_missing_values_are_a_group() -> None:
    product = parcels_product(slices="city")
    examples = parcels(product).with_columns(pl.lit(None, pl.String).alias("city"))
    validation = make_validation(product, examples)
    (part,) = slices(validation, validation.reached, validation.reached)
    assert part.group == "missing"


def test_a_slice_by_an_outcome_is_refused_before_anything_is_fitted() -> None:
    with pytest.raises(TrainingFailed, match=r"no column late, colour is known.*city"):
        check_slices(parcels_product(slices="late, colour"))

import numpy as np
import polars as pl
import pytest

from seatrial.errors import TrainingFailed
from seatrial.train.validation import Validation, checked_scores, make_validation
from tests.fakes.training import parcels, parcels_product

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT)


def knowing(validation: Validation) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Scores of somebody who knows the outcome."""
    return np.where(validation.labels, 0.8, 0.2)


def test_acting_is_valued_by_the_product_and_resting_too() -> None:
    validation = make_validation(PRODUCT, EXAMPLES)
    worth = np.where(validation.labels, 4 * validation.frame["weight"].to_numpy(), -3.0)
    assert validation.reached == pytest.approx(np.minimum(worth, 20.0))
    assert not validation.missed.any()


def test_rows_of_unknown_value_are_left_out() -> None:
    weight = pl.when(pl.col("city") == "Oslo").then(None).otherwise("weight").alias("weight")
    validation = make_validation(PRODUCT, EXAMPLES.with_columns(weight))
    assert validation.labels.size == EXAMPLES.filter(pl.col("city") != "Oslo").height


def test_no_row_of_known_value_is_an_error_that_names_what_the_value_reads() -> None:
    with pytest.raises(TrainingFailed, match="weight"):
        make_validation(PRODUCT, EXAMPLES.with_columns(pl.lit(None, pl.Float64).alias("weight")))


def test_the_threshold_parts_what_is_worth_acting_on() -> None:
    validation = make_validation(PRODUCT, EXAMPLES)
    assert 0.2 < validation.threshold(knowing(validation)) < 0.8


def test_a_declared_threshold_is_taken() -> None:
    validation = make_validation(parcels_product(objective="threshold: 0.35"), EXAMPLES)
    assert validation.threshold(knowing(validation)) == 0.35


def test_a_decision_that_asks_more_than_a_score_is_honoured() -> None:
    product = parcels_product(objective="decision: score >= threshold AND NOT express")
    validation = make_validation(product, EXAMPLES)
    assert not validation.reached[validation.frame["express"].to_numpy()].any()


def test_somebody_who_knows_is_promised_what_they_earn() -> None:
    validation = make_validation(PRODUCT, EXAMPLES)
    earned = np.where(validation.labels, validation.reached, 0.0).mean()
    assert validation.promise(knowing(validation)).value == pytest.approx(earned)


def test_chance_is_promised_less_than_the_best_threshold_shows() -> None:
    validation = make_validation(PRODUCT, parcels(PRODUCT, rows=300, days=20))
    excess = []
    for seed in range(20):
        scores = np.random.default_rng(seed).random(validation.labels.size)
        shown = np.where(scores >= validation.threshold(scores), validation.reached, 0.0).mean()
        excess.append(shown - (validation.promise(scores).value or 0.0))
    assert np.mean(excess) > 0.01


def test_one_day_is_promised_without_bounds() -> None:
    validation = make_validation(PRODUCT, parcels(PRODUCT, days=1))
    promise = validation.promise(knowing(validation))
    assert promise.value is not None
    assert promise.lower is None


@pytest.mark.parametrize("score", [np.nan, -0.1, 1.1, np.inf])
def test_what_is_no_probability_is_refused(score: float) -> None:
    with pytest.raises(TrainingFailed, match="1 of 2 scores"):
        checked_scores(np.array([0.5, score]), "model")

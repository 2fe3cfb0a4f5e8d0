from seatrial.product.features import encode
from seatrial.train.importance import importances
from tests.fakes.training import CountingEstimator, parcels, parcels_product

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT)
INPUTS = encode(EXAMPLES, PRODUCT.features)
LABELS = EXAMPLES["late"].to_numpy()
FITTED = CountingEstimator().fit(INPUTS, LABELS, PRODUCT.features, seed=0)


def test_what_the_model_uses_comes_first_and_the_rest_is_zero() -> None:
    found = importances(FITTED, INPUTS, LABELS, seed=0)
    assert next(iter(found)) == "distance"
    assert found["distance"] > 0.05
    assert {found[name] for name in ("city", "size", "express", "heavy")} == {0.0}


def test_one_seed_gives_one_answer() -> None:
    assert importances(FITTED, INPUTS, LABELS, seed=3) == importances(FITTED, INPUTS, LABELS, seed=3)


def test_another_seed_permutes_otherwise() -> None:
    assert importances(FITTED, INPUTS, LABELS, seed=3) != importances(FITTED, INPUTS, LABELS, seed=4)

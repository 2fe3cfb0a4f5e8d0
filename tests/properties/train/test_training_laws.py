"""What holds for every history that a model is trained on."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import TrainingFailed
from seatrial.facts.model import Model
from seatrial.product.features import encode
from seatrial.train.parity import TOLERANCE, check_parity
from seatrial.train.split import split_by_time
from seatrial.train.validation import make_validation
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.training import Counted, CountingModel, parcels, parcels_product, trained

PRODUCT = parcels_product()
SEEDS = st.integers(0, 10_000)


def value(model: Model, policy: str) -> float:
    (found,) = (comparison.value.value for comparison in model.comparisons if comparison.policy == policy)
    assert found is not None
    return found


@settings(max_examples=20)
@given(seed=SEEDS, rows=st.integers(300, 900), days=st.integers(5, 40))
def test_the_chosen_threshold_is_never_worse_than_acting_always_or_never(
    seed: int, rows: int, days: int
) -> None:
    model = trained(MemoryArtifacts(), examples=parcels(PRODUCT, rows, days, seed))
    for policy in ("act_always", "act_never", "constant"):
        assert value(model, "model") >= value(model, policy) - 1e-9


@settings(max_examples=10)
@given(seed=SEEDS)
def test_the_same_rows_give_the_same_model(seed: int) -> None:
    examples = parcels(PRODUCT, 300, 10, seed)
    first, second = (trained(MemoryArtifacts(), examples=examples) for _ in range(2))
    assert (first.id, first.artifact, first.reference) == (second.id, second.artifact, second.reference)
    assert first.threshold == second.threshold


@given(
    seed=SEEDS, rows=st.integers(100, 400), days=st.integers(2, 30), share=st.sampled_from([1, 20, 50, 89])
)
def test_no_day_is_on_both_sides_of_the_split(seed: int, rows: int, days: int, share: int) -> None:
    product = parcels_product(validate=f"{share}%")
    examples = parcels(product, rows, days, seed)
    try:
        split = split_by_time(product, examples)
    except TrainingFailed as refused:
        # Only these refusals are expected of few rows.
        assert re.search("both outcomes|none had matured", str(refused))  # noqa: PT017 - see above
        return
    older, newer = (set(product.block(part["sent_at"])) for part in (split.training, split.validation))
    assert older
    assert newer
    assert max(older) < min(newer)
    assert split.training.height + split.embargoed + split.validation.height == examples.height
    assert split.training["matured_at"].max() <= split.validation["sent_at"].min()  # type: ignore[operator]


@settings(max_examples=30)
@given(
    band=st.integers(0, 11),
    damage=st.floats(1e-7, 0.3),
)
def test_parity_holds_exactly_when_no_score_is_further_off_than_allowed(band: int, damage: float) -> None:
    inputs = encode(parcels(PRODUCT, 600), PRODUCT.features)
    shares = [0.5] * 12
    fitted = CountingModel(Counted("distance", tuple(shares)))
    shares[band] += damage
    package = CountingModel(Counted("distance", tuple(shares)))
    differs = np.abs(fitted.score(inputs) - package.score(inputs)) > TOLERANCE
    if differs.any():
        with pytest.raises(TrainingFailed, match=f"{differs.sum()} of 600 rows differ"):
            check_parity(fitted.score(inputs), package, inputs)
    else:
        assert check_parity(fitted.score(inputs), package, inputs).holds


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_score_that_reaches_the_threshold_earns_what_acting_earns(seed: int) -> None:
    validation = make_validation(PRODUCT, parcels(PRODUCT, 200, 10, seed))
    scores = np.random.default_rng(seed).random(200)
    threshold = validation.threshold(scores)
    decision = PRODUCT.decide(validation.frame, pl.Series(scores), threshold)
    expected = np.where(scores >= threshold, validation.reached, validation.missed)
    assert validation.values(decision) == pytest.approx(expected)

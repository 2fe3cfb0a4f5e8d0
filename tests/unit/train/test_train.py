import dataclasses
from datetime import timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from seatrial.errors import ProductFileInvalid, TrainingFailed
from seatrial.facts.model import Comparison, Model
from seatrial.measures.calibration import CalibrationMap, calibrate
from seatrial.ports.runtime import Limits
from seatrial.product.reference import decode_reference
from seatrial.train.compare import Rival
from seatrial.train.split import split_by_time
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.training import (
    START,
    Counted,
    CountingModel,
    CountingRuntime,
    parcels,
    parcels_product,
    trained,
)

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT)


class DamagingRuntime(CountingRuntime):
    """Loads another model than the one in the package; of converted packages only, if it is told so."""

    def __init__(self, *, natively_too: bool) -> None:
        self.natively_too = natively_too
        self.limits: list[Limits | None] = []

    def load(self, package: bytes, limits: Limits | None = None) -> CountingModel:
        self.limits.append(limits)
        fitted = super().load(package)
        if fitted.isolated and not self.natively_too:
            return fitted
        return CountingModel(Counted(fitted.counted.column, fitted.counted.shares[::-1]))


def policy(model: Model, name: str) -> Comparison:
    return next(comparison for comparison in model.comparisons if comparison.policy == name)


def test_the_model_is_compared_with_every_simpler_policy() -> None:
    model = trained(MemoryArtifacts())
    assert [comparison.policy for comparison in model.comparisons] == [
        "model",
        "constant",
        "linear",
        "baseline",
        "act_always",
        "act_never",
    ]


def test_the_advantage_is_the_difference_of_the_totals() -> None:
    model = trained(MemoryArtifacts())
    best = policy(model, "model")
    assert best.advantage is None
    for other in model.comparisons[1:]:
        assert best.value.value is not None
        assert other.value.value is not None
        assert other.advantage is not None
        assert other.advantage.value == pytest.approx(best.value.value - other.value.value)


def test_only_what_scores_has_a_loss() -> None:
    model = trained(MemoryArtifacts())
    scored = {each.policy for each in model.comparisons if each.log_loss is not None and each.auc is not None}
    assert scored == {"model", "constant", "linear"}
    assert policy(model, "constant").auc == 0.5


def test_a_useful_model_earns_more_than_acting_blindly() -> None:
    advantage = policy(trained(MemoryArtifacts()), "act_always").advantage
    assert advantage is not None
    assert advantage.lower is not None
    assert advantage.lower > 0


def test_the_live_model_plays_on_the_same_rows() -> None:
    artifacts = MemoryArtifacts()
    live = trained(artifacts)
    scorer = CountingRuntime().load(artifacts.get(live.artifact))
    model = trained(artifacts, rival=Rival(scorer, 0.0, PRODUCT))
    assert policy(model, "live").value == policy(model, "act_always").value
    assert policy(model, "live").threshold == 0.0


def test_all_rows_are_in_the_package_and_the_newest_judged() -> None:
    model = trained(MemoryArtifacts(), examples=EXAMPLES)
    assert model.training_rows == EXAMPLES.height
    assert model.validation_rows == pytest.approx(EXAMPLES.height / 4, abs=30)
    assert (model.trained_from, model.trained_to) == (EXAMPLES["sent_at"].min(), EXAMPLES["sent_at"].max())


def test_rows_whose_outcome_never_came_are_left_out() -> None:
    unknown = EXAMPLES.with_columns(
        pl.when(pl.col("city") != "Turku").then(pl.col("late")).alias("late"),
    )
    assert trained(MemoryArtifacts(), examples=unknown).training_rows == unknown["late"].count()


def test_the_package_is_held_against_the_fitted_model() -> None:
    parity = trained(MemoryArtifacts()).parity
    assert parity.holds
    assert parity.rows == 2 * EXAMPLES.height


def test_a_package_that_scores_otherwise_is_refused_and_not_stored() -> None:
    artifacts = MemoryArtifacts()
    with pytest.raises(TrainingFailed, match=r"(?s)rows differ.*own library instead: .*rows differ"):
        trained(artifacts, runtime=DamagingRuntime(natively_too=True))
    assert not artifacts.bodies


def test_a_model_whose_conversion_scores_otherwise_is_served_by_its_own_library_and_says_why() -> None:
    artifacts = MemoryArtifacts()
    runtime = DamagingRuntime(natively_too=False)
    model = trained(artifacts, runtime=runtime)
    assert model.served_by == "native"
    assert "rows differ" in model.not_converted
    assert model.parity.holds
    assert CountingRuntime().load(artifacts.get(model.artifact)).isolated
    assert runtime.limits == [Limits(5.0, 2**31)] * 2
    card = artifacts.get(model.card).decode()
    assert "- Served by its own library, in a process of its own" in card
    assert "- Not converted to ONNX, because: package: expected the fitted model's scores" in card


def test_a_model_that_is_converted_says_so() -> None:
    artifacts = MemoryArtifacts()
    model = trained(artifacts)
    assert (model.served_by, model.not_converted) == ("onnx", "")
    assert "- Served by ONNX Runtime" in artifacts.get(model.card).decode()


def test_a_model_of_an_older_workspace_was_converted() -> None:
    stored = msgspec.to_builtins(trained(MemoryArtifacts()))
    del stored["served_by"], stored["not_converted"]
    assert msgspec.convert(stored, Model).served_by == "onnx"


def test_the_id_does_not_depend_on_when_or_how_fast() -> None:
    first, later = trained(MemoryArtifacts()), trained(MemoryArtifacts(), moment=START + timedelta(days=9))
    assert first.id == later.id
    assert msgspec.structs.replace(later, seconds=first.seconds, trained_at=first.trained_at, card="") == (
        msgspec.structs.replace(first, card="")
    )


def test_another_snapshot_threshold_or_row_gives_another_id() -> None:
    fixed = parcels_product(objective="threshold: 0.4")
    ids = {
        trained(MemoryArtifacts()).id,
        trained(MemoryArtifacts(), snapshot_id="sha256:" + "6" * 64).id,
        trained(MemoryArtifacts(), fixed).id,
        trained(MemoryArtifacts(), examples=EXAMPLES.head(-1)).id,
    }
    assert len(ids) == 4


def test_the_reference_counts_every_row_of_every_feature() -> None:
    artifacts = MemoryArtifacts()
    model = trained(artifacts)
    reference = decode_reference(artifacts.get(model.reference))
    assert set(reference.features) == set(model.features)
    assert {sum(binned.counts) for binned in reference.features.values()} == {model.training_rows}
    assert sum(reference.score.counts) == model.validation_rows


def test_the_calibration_maps_scores_to_probabilities() -> None:
    calibrated = calibrate(CalibrationMap(*trained(MemoryArtifacts()).calibration), np.linspace(0, 1, 50))
    assert (np.diff(calibrated) >= 0).all()
    assert calibrated.min() >= 0.0
    assert calibrated.max() <= 1.0


def test_the_card_tells_what_a_reader_must_know() -> None:
    artifacts = MemoryArtifacts()
    model = trained(artifacts)
    card = artifacts.get(model.card).decode()
    for fact in (
        "late-parcels",
        model.snapshot,
        model.artifact,
        "first model",
        "act always",
        "Turku",
        "## Limits",
    ):
        assert fact in card


def test_rows_that_matured_too_late_for_the_trial_are_in_the_package_and_counted_in_the_card() -> None:
    artifacts = MemoryArtifacts()
    model = trained(artifacts, examples=EXAMPLES)
    split = split_by_time(PRODUCT, EXAMPLES)
    assert split.embargoed > 0
    assert model.training_rows == EXAMPLES.height
    card = artifacts.get(model.card).decode()
    assert f"- {split.embargoed:,} older rows were not in that fit" in card
    assert f"by a model of the {split.training.height:,} older ones" in card


def test_a_product_without_an_objective_cannot_choose_a_threshold() -> None:
    aimless = dataclasses.replace(PRODUCT, compiled_objective=None)
    with pytest.raises(ProductFileInvalid, match="objective: missing"):
        trained(MemoryArtifacts(), aimless)

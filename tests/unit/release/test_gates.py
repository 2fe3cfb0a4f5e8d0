"""Each gate closes when its own evidence is broken, and no other gate does."""

import dataclasses

import msgspec
import pytest

from seatrial.facts.estimate import Estimate
from seatrial.facts.model import Comparison, Model
from seatrial.facts.release import GateResult
from seatrial.facts.snapshot import Snapshot
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from seatrial.release.gates import refused, run_gates
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.training import parcels, parcels_product, parcels_snapshot, trained

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT)
SNAPSHOT = parcels_snapshot(PRODUCT, EXAMPLES)
MODEL = trained(MemoryArtifacts(), PRODUCT, EXAMPLES)
GAIN = Estimate(value=12.0, lower=3.0, upper=21.0, n=9)


def gates(
    product: Product = PRODUCT, model: Model = MODEL, snapshot: Snapshot = SNAPSHOT
) -> tuple[GateResult, ...]:
    return run_gates(product, model, snapshot)


def closed(product: Product = PRODUCT, model: Model = MODEL, snapshot: Snapshot = SNAPSHOT) -> list[str]:
    return [gate.gate for gate in gates(product, model, snapshot) if not gate.passed]


def against(policy: str, advantage: Estimate | None) -> Model:
    """The model with another comparison with one policy, or a first one."""
    others = tuple(one for one in MODEL.comparisons if one.policy != policy)
    comparison = Comparison(policy=policy, value=GAIN, advantage=advantage)
    return msgspec.structs.replace(MODEL, comparisons=(*others, comparison))


def test_a_sound_model_passes_all_of_them_each_with_its_evidence() -> None:
    results = gates()
    assert closed() == []
    assert refused(results) == []
    assert [gate.gate for gate in results] == [
        "owner declared",
        "objective declared",
        "contract enforced",
        "lineage known",
        "package equals model",
        "promise above zero",
        "no worse than constant",
        "no worse than linear",
        "no worse than baseline",
        "no worse than act always",
        "no worse than act never",
    ]
    assert all(gate.evidence for gate in results)


def test_a_product_without_an_owner_is_not_released() -> None:
    text, contract = PRODUCT.texts
    lines = [line for line in text.splitlines() if not line.startswith("owner:")]
    assert closed(product=parse_product("\n".join(lines), contract)) == ["owner declared"]


@pytest.mark.parametrize("broken", [{"rules": ()}, {"sources": ()}])
def test_data_that_no_rule_checked_are_not_released(broken: dict[str, object]) -> None:
    assert closed(snapshot=msgspec.structs.replace(SNAPSHOT, **broken)) == ["contract enforced"]


def test_a_model_of_another_snapshot_is_not_released() -> None:
    assert closed(snapshot=msgspec.structs.replace(SNAPSHOT, id="sha256:other")) == ["lineage known"]


def test_a_package_that_scores_otherwise_is_not_released() -> None:
    parity = msgspec.structs.replace(MODEL.parity, differing_rows=1, largest_difference=0.2)
    model = msgspec.structs.replace(MODEL, parity=parity)
    assert closed(model=model) == ["package equals model"]
    assert "0.2" in refused(gates(model=model))[0]


@pytest.mark.parametrize("promise", [Estimate(value=0.0), Estimate(value=-1.0), Estimate(value=None)])
def test_a_model_that_promises_nothing_is_not_released(promise: Estimate) -> None:
    assert closed(model=msgspec.structs.replace(MODEL, promise=promise)) == ["promise above zero"]


@pytest.mark.parametrize("policy", ["constant", "linear", "baseline", "act_always", "act_never"])
def test_a_model_that_earns_less_than_something_simpler_is_not_released(policy: str) -> None:
    name = f"no worse than {policy.replace('_', ' ')}"
    less = Estimate(value=-1.0, lower=-9.0, upper=7.0, n=9)
    assert closed(model=against(policy, less)) == [name]
    assert closed(model=against(policy, None)) == [name]
    assert closed(model=against(policy, Estimate(value=0.0))) == []


def test_the_live_model_must_only_not_be_shown_to_be_better() -> None:
    unsure = Estimate(value=-1.0, lower=-9.0, upper=7.0, n=9)
    worse = Estimate(value=-5.0, lower=-9.0, upper=-1.0, n=9)
    assert closed(model=against("live", unsure)) == []
    assert closed(model=against("live", worse)) == ["no worse than live"]
    assert closed(model=against("live", Estimate(value=-1.0))) == []


def test_a_refusal_names_the_gate_and_its_evidence() -> None:
    less = Estimate(value=-1.0, lower=-9.0, upper=7.0, n=9)
    [sentence] = refused(gates(model=against("linear", less)))
    assert sentence.startswith("no worse than linear: advantage -1.00 [-9.00, 7.00]")


def test_a_product_without_an_objective_is_not_released() -> None:
    assert closed(product=dataclasses.replace(PRODUCT, compiled_objective=None)) == ["objective declared"]


def test_the_numbers_behind_a_promise_are_kept() -> None:
    results = {gate.gate: gate for gate in gates()}
    assert results["promise above zero"].numbers["value"] == MODEL.promise.value
    assert "EUR per decision" in results["promise above zero"].evidence

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.facts.release import GateResult, Phase
from seatrial.product.schema import Retrain
from seatrial.readiness.evidence import Booked, Evidence, Served
from seatrial.readiness.score import CHECKS, band, run_readiness, sum_sections
from tests import launched

Change = Callable[[Evidence], Evidence]
SOME = msgspec.structs.replace


def marks(evidence: Evidence) -> dict[str, float]:
    return {result.id: result.score for result in run_readiness(evidence).results}


def without(**fields: Any) -> Change:
    return lambda evidence: replace(evidence, **fields)


def models(**fields: Any) -> Change:
    return lambda evidence: replace(
        evidence, models=tuple(SOME(model, **fields) for model in evidence.models)
    )


def only_live(**fields: Any) -> Change:
    def change(evidence: Evidence) -> Evidence:
        assert evidence.live is not None
        return replace(evidence, releases=(SOME(evidence.live, **fields),))

    return change


def entries_without(*kinds: str) -> Change:
    return lambda evidence: replace(
        evidence, logbook=tuple(e for e in evidence.logbook if e.kind not in kinds)
    )


def retraining_on(*reasons: str) -> Change:
    def change(evidence: Evidence) -> Evidence:
        retrain = Retrain.model_validate({"on": reasons})
        file = evidence.product.file.model_copy(update={"retrain": retrain})
        return replace(evidence, product=replace(evidence.product, file=file))

    return change


FULL = {"D1": 1, "D2": 0.5, "M4": 0.5, "M5": 0.5, "M6": 0.5, "I1": 0.5, "I3": 0.5, "I4": 1, "I6": 1, "I7": 1}
FULL |= {"O2": 0.5, "O3": 1, "O4": 1, "O5": 1, "O7": 1}

REMOVED: list[tuple[str, Change]] = [
    ("D1", without(snapshot=None)),
    ("D2", models(importances={})),
    ("D2", models(importances={"visib": 0.1})),
    ("M4", without(rehearsal=None)),
    ("M5", models(comparisons=())),
    ("M6", models(slices=())),
    ("I1", entries_without("model registered")),
    ("I1", models(snapshot="sha256:one", seed=0)),
    ("I3", without(rehearsal=None)),
    ("I4", without(releases=())),
    ("I4", only_live(gates=(GateResult(gate="promise above zero", passed=False, evidence="-3"),))),
    ("I6", entries_without("release shadow", "release canary")),
    ("I6", only_live(previous=None)),
    ("I7", entries_without("rollback drill", "release rolled back")),
    ("O2", without(served=Served())),
    ("O3", without(logged=pl.DataFrame())),
    ("O4", without(releases=())),
    ("O4", retraining_on("harm")),
    ("O5", without(models=())),
    ("O7", without(findings=())),
    ("O7", without(booked=Booked(rows=10))),
]


def test_a_product_with_all_evidence_gets_exactly_the_marks_that_its_evidence_supports() -> None:
    found = marks(launched.evidence())
    assert {name: score for name, score in found.items() if score} == FULL


@pytest.mark.parametrize(("name", "change"), REMOVED, ids=lambda part: part if isinstance(part, str) else "")
def test_a_test_without_its_evidence_is_marked_0_and_says_what_to_do(name: str, change: Change) -> None:
    results = {result.id: result for result in run_readiness(change(launched.evidence())).results}
    assert results[name].score == 0
    assert results[name].evidence
    assert results[name].fix


def test_every_test_is_marked_0_when_nothing_was_ever_done() -> None:
    nothing = Evidence(product=launched.product(), now=launched.NOW)
    readiness = run_readiness(nothing)
    assert readiness.score == 0
    assert set(marks(nothing).values()) == {0}
    assert all(result.fix for result in readiness.results)


@pytest.mark.parametrize("name", [name for name in FULL if name != "O4"])
def test_evidence_loses_half_a_point_after_30_days_and_another_after_60(name: str) -> None:
    fresh = launched.evidence()
    later = marks(replace(fresh, now=fresh.now + timedelta(days=31)))[name]
    latest = marks(replace(fresh, now=fresh.now + timedelta(days=92)))[name]
    assert later == FULL[name] - 0.5
    assert latest == 0


def test_a_model_past_its_age_costs_half_of_o4() -> None:
    fresh = launched.evidence()
    assert marks(replace(fresh, now=fresh.now + timedelta(days=61)))["O4"] == 0.5


NO_CONTROL: list[tuple[str, Change]] = [
    ("D1", without(sample=pl.DataFrame())),
    ("I6", entries_without("release rolled back")),
    ("O5", without(sample=pl.DataFrame())),
    ("O7", lambda e: replace(e, findings=tuple(f for f in e.findings if f.verdict.value != "alarm"))),
    ("O3", lambda e: replace(e, logged=launched.logged().with_columns(feature_visib=pl.lit(99.0)))),
    ("O3", lambda e: replace(e, logged=launched.logged(1))),
    (
        "O5",
        without(served=Served(rows=9, last_at=launched.NOW, by_contract={"1.2.0": 9}, impossible_scores=1)),
    ),
    ("D1", without(served=Served())),
    ("I7", lambda e: replace(e, logbook=tuple(SOME(entry, body={}) for entry in e.logbook))),
    ("O4", without(rehearsal=None)),
]


@pytest.mark.parametrize(
    ("name", "change"), NO_CONTROL, ids=lambda part: part if isinstance(part, str) else ""
)
def test_evidence_without_its_control_or_with_a_lack_gets_half_a_point(name: str, change: Change) -> None:
    assert marks(change(launched.evidence()))[name] == 0.5


def test_the_simpler_model_gets_full_marks_only_with_a_refusal_and_a_gain_above_zero() -> None:
    closed = GateResult(gate="no worse than linear", passed=False, evidence="advantage -3")
    refused = SOME(launched.release(1, Phase.RETIRED), id="r0005", gates=(closed,))
    seen = replace(launched.evidence(), releases=(*launched.releases(), refused))
    assert marks(seen)["M5"] == 1
    rivals = launched.model().comparisons
    weak = tuple(SOME(rival, advantage=launched.estimate(1.0, 2.0)) for rival in rivals)
    assert marks(models(comparisons=weak)(seen))["M5"] == 0.5


def test_a_model_input_outside_the_contract_is_named() -> None:
    evidence = launched.evidence()
    table = evidence.product.contract.tables[0]
    narrowed = SOME(table, columns=tuple(column for column in table.columns if column.name != "distance"))
    contract = SOME(evidence.product.contract, tables=(narrowed, evidence.product.contract.tables[1]))
    result = CHECKS[0](replace(evidence, product=replace(evidence.product, contract=contract)))
    assert result.score == 0
    assert "distance" in result.evidence


def test_there_are_28_tests_seven_in_each_section() -> None:
    results = run_readiness(launched.evidence()).results
    assert [result.id for result in results] == [f"{s}{n}" for s in "DMIO" for n in range(1, 8)]
    sections = ["data", "model", "infrastructure", "monitoring"]
    assert [result.section for result in results] == [name for name in sections for _ in range(7)]
    assert len({result.title for result in results}) == 28


def test_sections_are_sums_and_the_score_is_the_weakest_section() -> None:
    readiness = run_readiness(launched.evidence())
    for name, total in readiness.sections.items():
        assert total == sum(result.score for result in readiness.results if result.section == name)
    assert readiness.score == min(readiness.sections.values())
    assert readiness.score < max(readiness.sections.values())
    perfect = [SOME(result, score=1.0) for result in readiness.results]
    assert sum_sections(perfect) == dict.fromkeys(("data", "model", "infrastructure", "monitoring"), 7.0)


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (0.0, "research"),
        (0.5, "holes"),
        (1.0, "holes"),
        (1.5, "first"),
        (3.0, "reasonably"),
        (5.0, "strongly"),
    ],
)
def test_a_band_includes_its_upper_end(score: float, word: str) -> None:
    assert word in band(score)


def test_only_more_than_five_is_exceptional() -> None:
    assert "exceptionally" in band(5.5)
    assert "exceptionally" not in band(5.0)

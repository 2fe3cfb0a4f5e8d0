"""The readiness score: 28 tests run, four sections summed, the weakest section deciding.

Source: Breck et al., "The ML Test Score", IEEE Big Data 2017.
"""

from collections.abc import Callable, Sequence

from seatrial.facts.readiness import Readiness, TestResult
from seatrial.readiness import data_tests, infrastructure_tests, model_tests, monitoring_tests
from seatrial.readiness.evidence import Evidence
from seatrial.readiness.marking import SECTIONS

Check = Callable[[Evidence], TestResult]

CHECKS: tuple[Check, ...] = (
    data_tests.d1_contract,
    data_tests.d2_features,
    data_tests.d3_feature_cost,
    data_tests.d4_feature_policy,
    data_tests.d5_privacy,
    data_tests.d6_lead_time,
    data_tests.d7_feature_code,
    model_tests.m1_review,
    model_tests.m2_proxy,
    model_tests.m3_tuning,
    model_tests.m4_staleness,
    model_tests.m5_simpler,
    model_tests.m6_slices,
    model_tests.m7_fairness,
    infrastructure_tests.i1_reproducible,
    infrastructure_tests.i2_specification,
    infrastructure_tests.i3_whole_pipeline,
    infrastructure_tests.i4_gates,
    infrastructure_tests.i5_one_prediction,
    infrastructure_tests.i6_trials,
    infrastructure_tests.i7_rollback,
    monitoring_tests.o1_dependencies,
    monitoring_tests.o2_invariants,
    monitoring_tests.o3_skew,
    monitoring_tests.o4_age,
    monitoring_tests.o5_numbers,
    monitoring_tests.o6_speed,
    monitoring_tests.o7_quality,
)

# Upper ends of the bands, each with what a score up to it means.
BANDS = (
    (0.0, "a research project rather than a product"),
    (1.0, "not untested, but serious holes are possible"),
    (2.0, "a first pass at a product; more is needed"),
    (3.0, "reasonably tested"),
    (5.0, "strongly automated testing and monitoring"),
)
BEYOND = "exceptionally automated testing and monitoring"


def run_readiness(evidence: Evidence) -> Readiness:
    """The 28 results, the sum of each section in [0, 7], and their minimum with its band in words."""
    results = tuple(check(evidence) for check in CHECKS)
    sections = sum_sections(results)
    score = min(sections.values())
    return Readiness(
        id=f"{evidence.now:%Y%m%dT%H%M%S%fZ}",
        product=evidence.product.name,
        at=evidence.now,
        results=results,
        sections=sections,
        score=score,
        band=band(score),
    )


def sum_sections(results: Sequence[TestResult]) -> dict[str, float]:
    """The sum of marks per section, in the order data, model, infrastructure, monitoring."""
    return {name: sum(r.score for r in results if r.section == name) for name in SECTIONS.values()}


def band(score: float) -> str:
    """What a score in [0, 7] means, in words."""
    return next((words for upper, words in BANDS if score <= upper), BEYOND)

"""What intake does with columns that seem to know the outcome."""

import re
from collections.abc import Callable
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest

from seatrial.contract.odcs import read_contract
from seatrial.product.read import parse_product
from seatrial.product.yaml_lines import parse_yaml
from seatrial.prototype.intake import Intake, take_in
from seatrial.prototype.leaks import asked_features, product_leaks, refused_features
from seatrial.prototype.ports import ModelFacts
from tests.bookings_world import HONEST, bookings, planted

REFUSED = {"status", "parking", "room_key", "changes", "assigned", "days_waiting"}
ASKED = {"country"}
PLANTED = planted(bookings(7))
ANSWERS = """
purpose: Say which bookings will be cancelled.
owner: {business: revenue@hotel.example, engineering: ml@hotel.example}
objective:
  unit: EUR
  value: CASE WHEN decision AND cancelled THEN 100 WHEN decision THEN -20 ELSE 0 END
  value_range: [-20, 100]
  baseline: loyalty
  outcome_depends_on_action: no
sources: {bookings: {path: bookings.parquet}}
examples:
  from: bookings
  key: booking_id
  made_at: booked_at
  outcome: {label: cancelled}
  known_at: settled_at
  matured_at: arrives_at + INTERVAL '1 day'
"""


def intake(
    features: tuple[str, ...] = (), frame: pl.DataFrame = PLANTED, **examples: Any
) -> tuple[Intake, dict[str, Any]]:
    answers: dict[str, Any] = parse_yaml(ANSWERS, "answers")[0]
    answers["examples"] |= examples
    model = ModelFacts(digest=f"sha256:{'a' * 64}", class_name="Pipeline", features=features, task="binary")
    taken = take_in(
        name="hotel", estimator="m.joblib", model=model, frames={"bookings": frame}, answers=answers
    )
    return taken, parse_yaml(taken.product_text, "product.yaml")[0]


def declaring(taken: Intake, feature: str) -> str:
    """The product's text where somebody takes a column that was withheld for a feature."""
    text = taken.product_text.replace("features: [rating]", f"features: [rating, {feature}]")
    return re.sub(rf"(also: \[[^]]*?)\b{feature}\b,?", r"\1", text)


def test_planted_leaks_are_refused_and_honest_columns_stay_features() -> None:
    taken, _ = intake()
    product = parse_product(taken.product_text, taken.contract_text)
    assert {one.column for one in taken.suspected if one.verdict == "refused"} == REFUSED
    assert {one.column for one in taken.suspected if one.verdict == "ask"} == ASKED
    assert {feature.name for feature in product.features} == {*HONEST, "reserved"}


def test_what_is_refused_is_declared_as_known_only_later_with_its_evidence() -> None:
    taken, written = intake()
    assert set(written["examples"]["outcome"]["also"]) == REFUSED
    comment = next(line for line in taken.product_text.splitlines() if line.startswith("# - parking: "))
    assert "0 exceptions" in comment
    column = read_contract(taken.contract_text).tables[0].column("parking")
    assert column is not None
    assert column.role == "outcome"
    assert "suspected: parking: " in column.evidence


def test_what_only_people_can_tell_is_asked_and_left_out_until_they_do() -> None:
    taken, written = intake()
    assert any(
        one.startswith("examples.known_at_decision: was country known at the decision")
        for one in taken.missing
    )
    assert "country" not in written["examples"]["outcome"]["also"]
    column = read_contract(taken.contract_text).tables[0].column("country")
    assert column is not None
    assert column.role == "other"


def test_a_model_that_reads_a_leak_is_told_what_to_do() -> None:
    taken, written = intake(("rating", "parking", "country"))
    assert written["model"]["features"] == ["rating"]
    told = next(one for one in taken.missing if one.startswith("model.features: parking: "))
    assert "Leave it out and fit the model again" in told
    assert "examples.known_at_decision: [parking]" in told


def test_leaks_that_the_model_does_not_read_are_only_noted() -> None:
    taken, written = intake(("rating", "visits"))
    assert written["model"]["features"] == ["rating", "visits"]
    assert not any("parking" in one and one.startswith("model.features") for one in taken.missing)
    assert "# - parking: " in taken.product_text


def test_no_request_has_to_bring_a_leak_that_the_model_does_not_read() -> None:
    taken, written = intake(("rating", "visits"))
    product = parse_product(taken.product_text, taken.contract_text)
    assert set(written["examples"]["outcome"]["also"]) == REFUSED
    assert not REFUSED & set(product.request_columns)
    assert any(
        one.startswith("examples.outcome.also: which of ") and "parking" not in one for one in taken.missing
    )


def naive(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(cs.datetime().dt.replace_time_zone(None))


@pytest.mark.parametrize(
    "write",
    [naive, lambda frame: naive(frame).with_columns(cs.datetime().dt.to_string("iso:strict"))],
    ids=["times", "texts"],
)
def test_times_without_a_zone_are_asked_about_and_leaks_are_found_meanwhile(
    write: Callable[[pl.DataFrame], pl.DataFrame],
) -> None:
    taken, written = intake(frame=write(PLANTED))
    assert any(
        one.startswith("sources.bookings.timezone: in which time zone booked_at, ") for one in taken.missing
    )
    assert written["sources"]["bookings"]["timezone"] == "UTC"
    assert {one.column for one in taken.suspected if one.verdict == "refused"} == REFUSED


def test_times_written_as_text_with_their_zone_raise_no_question() -> None:
    texts = PLANTED.with_columns(cs.datetime().dt.to_string("%Y-%m-%dT%H:%M:%SZ"))
    taken, written = intake(frame=texts)
    assert "timezone" not in written["sources"]["bookings"]
    assert {one.column for one in taken.suspected if one.verdict == "refused"} == REFUSED


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (
            PLANTED.with_columns(booked_at=pl.lit("soon")),
            "examples.made_at is booked_at, which holds no moments",
        ),
        (PLANTED.with_columns(cancelled=pl.lit("yes")), "cancelled, which is no yes or no but string"),
    ],
)
def test_a_search_for_leaks_that_cannot_be_made_is_told(frame: pl.DataFrame, told: str) -> None:
    taken, _ = intake(frame=frame)
    [said] = [one for one in taken.missing if "could not be searched for" in one]
    assert told in said


def test_columns_that_people_vouch_for_are_features() -> None:
    taken, written = intake(("rating", "parking", "country"), known_at_decision=["parking", "country"])
    assert written["model"]["features"] == ["rating", "parking", "country"]
    assert not {"parking", "country"} & {one.column for one in taken.suspected}
    product = parse_product(taken.product_text, taken.contract_text)
    assert refused_features(product, PLANTED) == []


def test_a_leak_that_an_expression_reads_is_told_and_left_in_place() -> None:
    taken, written = intake(
        ("rating",), matured_at="arrives_at + INTERVAL '1 day'", derive={"cars": "parking * 2"}
    )
    assert set(written["examples"]["outcome"]["also"]) == REFUSED - {"parking"}
    assert any(one.startswith("examples: parking: ") for one in taken.missing)


def test_rows_that_the_contract_puts_aside_raise_no_suspicion() -> None:
    clean = bookings(7)
    gaps = clean.cancelled & (clean.chance.random(len(clean.cancelled)) < 0.2)
    plate = [None if gap else "x" if row % 3 else "y" for row, gap in enumerate(gaps)]
    frame = clean.having(plate=plate)
    assert {one.column for one in intake(frame=frame)[0].suspected} == {"plate"}
    answers = {
        **parse_yaml(ANSWERS, "answers")[0],
        "contract": {"bookings": {"columns": {"plate": {"required": True}}}},
    }
    model = ModelFacts(digest=f"sha256:{'a' * 64}", class_name="Pipeline", task="binary")
    taken = take_in(
        name="hotel", estimator="m.joblib", model=model, frames={"bookings": frame}, answers=answers
    )
    assert taken.suspected == ()


@pytest.mark.parametrize("column", ["parking", "assigned"])
def test_a_product_that_declares_a_leak_as_a_feature_is_refused_again_on_its_data(column: str) -> None:
    taken, _ = intake(("rating",))
    product = parse_product(declaring(taken, column), taken.contract_text)
    problems = refused_features(product, PLANTED)
    assert [one.split(": ")[1] for one in problems] == [column]
    assert {one.column for one in product_leaks(product, PLANTED)} >= {column}


def test_a_doubtful_feature_of_a_product_is_a_question_not_a_problem() -> None:
    taken, _ = intake(("rating",))
    product = parse_product(declaring(taken, "country"), taken.contract_text)
    assert refused_features(product, PLANTED) == []
    assert [one.split("? ")[0] for one in asked_features(product, PLANTED)] == [
        "examples.known_at_decision: was country known at the decision, as it stands in the table"
    ]


def test_a_column_cannot_be_known_both_before_and_only_later() -> None:
    taken, _ = intake(known_at_decision=["settled_at"])
    assert any("settled_at cannot be known only later as well" in one for one in taken.missing)


def test_rows_told_twice_are_noted() -> None:
    again = PLANTED.head(400).with_columns(pl.col("booking_id") + "-again")
    taken, _ = intake(("rating",), pl.concat([PLANTED, again]))
    assert "# 400 of 12,400 rows equal an earlier one in all but booking_id" in taken.product_text

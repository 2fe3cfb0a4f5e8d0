"""What intake writes with answers and without, and what it says is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from seatrial.contract.odcs import read_contract
from seatrial.errors import ProductFileInvalid
from seatrial.product.read import parse_product
from seatrial.product.yaml_lines import parse_yaml
from seatrial.prototype.intake import Intake, declared_sources, source_name, take_in
from seatrial.prototype.ports import ModelFacts

ROWS = 200
START = datetime(2025, 1, 1, tzinfo=UTC)
MODEL = ModelFacts(
    digest=f"sha256:{'a' * 64}",
    class_name="Pipeline",
    features=("price", "city", "rain", "lead"),
    task="binary",
)
HOURS = [START + timedelta(hours=number) for number in range(ROWS)]
BOOKINGS = pl.DataFrame(
    {
        "city": ["Oslo", "Rome"] * (ROWS // 2),
        "booking_id": [f"b{number}" for number in range(ROWS)],
        "booked_at": HOURS,
        "arrives_at": [moment + timedelta(days=9) for moment in HOURS],
        "price": [100.0 + number for number in range(ROWS)],
        "cancelled": [0, 1] * (ROWS // 2),
        "refund": [float(number) for number in range(ROWS)],
        "settled_at": [moment + timedelta(days=10) for moment in HOURS],
        "clerk": ["x"] * ROWS,
    }
)
RAIN = pl.DataFrame(
    {"city": ["Oslo"] * ROWS, "seen_at": HOURS, "rain": [1.0] * ROWS, "station": ["s"] * ROWS}
)
ANSWERS = """
purpose: Say which bookings will be cancelled.
owner: {business: revenue@hotel.example, engineering: ml@hotel.example}
objective:
  unit: EUR
  value: >
    CASE WHEN decision AND cancelled
         THEN refund ELSE 0 END
  value_range: [-400, 2000]
  baseline: price > 500
  outcome_depends_on_action: no
sources:
  bookings: {path: bookings.csv}
  rain: {python: "tables:rain"}
examples:
  from: bookings
  key: booking_id
  made_at: booked_at
  outcome: {label: cancelled, also: [refund]}
  known_at: settled_at
  matured_at: arrives_at + INTERVAL '1 day'
  lookups:
    rain: {on: [city], as_of: seen_at, available_after: 20m, columns: [rain]}
  derive: {lead: (EXTRACT(epoch FROM arrives_at) - EXTRACT(epoch FROM booked_at)) / 3600}
model: {task: binary, estimator: x.joblib}
retrain: {on: [harm], at_most: 1 per 7d}
contract:
  bookings:
    unique: [[city, booked_at]]
    stop_above: 0.2
    rows: 50
    columns:
      price: {minimum: 0}
      city: {values: [Oslo, Rome, Bern]}
"""


def answers(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = parse_yaml(ANSWERS, "answers")[0]
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def intake(stated: dict[str, Any] | None, model: ModelFacts = MODEL) -> Intake:
    frames = {"bookings": BOOKINGS, "rain": RAIN} if stated else {"bookings": BOOKINGS}
    sample = None if stated else "Bookings.csv"
    return take_in(
        name="hotel", estimator="m.joblib", model=model, frames=frames, sample_file=sample, answers=stated
    )


def test_complete_answers_give_a_product_that_can_be_used() -> None:
    taken = intake(answers())
    assert taken.missing == ()
    product = parse_product(taken.product_text, taken.contract_text)
    assert [feature.name for feature in product.features] == list(MODEL.features)
    assert (product.file.model.estimator, product.file.model.consented) == ("m.joblib", MODEL.digest)
    assert product.objective.section.value == "CASE WHEN decision AND cancelled THEN refund ELSE 0 END"
    assert product.file.examples.lookups["rain"].available_after == 1200
    assert product.file.retrain.on == ("harm",)


def test_the_product_file_is_commented_for_people_and_keeps_the_order_of_its_sections() -> None:
    lines = intake(answers()).product_text.splitlines()
    sections = [line.split(":")[0] for line in lines if line[:1].isalpha()]
    assert sections == [
        "product",
        "purpose",
        "owner",
        "objective",
        "contract",
        "sources",
        "examples",
        "model",
        "retrain",
    ]
    assert all(
        lines[lines.index(f"{name}:") - 1].startswith("# ") for name in ("objective", "sources", "examples")
    )
    assert "  outcome_depends_on_action: no" in lines


def test_roles_follow_the_model_and_the_examples() -> None:
    contract = read_contract(intake(answers()).contract_text)
    roles = {
        f"{table.name}.{column.name}": column.role for table in contract.tables for column in table.columns
    }
    assert roles == {
        "bookings.city": "feature",
        "bookings.booking_id": "key",
        "bookings.booked_at": "made_at",
        "bookings.arrives_at": "other",
        "bookings.price": "feature",
        "bookings.cancelled": "outcome",
        "bookings.refund": "outcome",
        "bookings.settled_at": "known_at",
        "bookings.clerk": "other",
        "rain.city": "lookup_key",
        "rain.seen_at": "other",
        "rain.rain": "feature",
    }


def test_requests_need_only_what_the_product_reads() -> None:
    product = parse_product(intake(answers()).product_text, intake(answers()).contract_text)
    required = {column.name for column in product.request.columns if column.required}
    assert required == {"city", "booking_id", "booked_at", "arrives_at", "price"}


def test_what_people_state_overrules_what_was_inferred() -> None:
    table = read_contract(intake(answers()).contract_text).tables[0]
    price, city = table.column("price"), table.column("city")
    assert price is not None
    assert city is not None
    assert price.minimum == 0
    assert price.maximum is not None
    assert price.maximum > 299
    assert price.evidence.startswith("stated: minimum 0; inferred: ")
    assert (city.values, city.severity) == (("Oslo", "Rome", "Bern"), "error")
    assert (table.minimum_rows, table.stop_above) == (50, 0.2)
    assert ("city", "booked_at") in table.unique


def test_an_outcome_stored_as_zeros_and_ones_is_a_yes_or_no() -> None:
    label = read_contract(intake(answers()).contract_text).tables[0].column("cancelled")
    assert label is not None
    assert (label.type, label.required) == ("bool", False)


def test_without_answers_it_guesses_and_says_what_is_missing() -> None:
    taken = intake(None, ModelFacts(digest=MODEL.digest, class_name="Pipeline", features=("price", "city")))
    written = parse_yaml(taken.product_text, "product.yaml")[0]
    assert written["sources"] == {"bookings": {"path": "Bookings.csv"}}
    assert written["examples"] == {
        "from": "bookings",
        "key": "booking_id",
        "made_at": "booked_at",
        "outcome": {"label": "cancelled"},
    }
    assert "objective" not in written
    assert [one.split(":")[0] for one in taken.missing] == [
        "purpose",
        "owner",
        "objective",
        "examples.known_at",
        "examples.matured_at",
        "examples.outcome.also",
    ]
    told = [line.removeprefix("# - ") for line in taken.product_text.splitlines() if line.startswith("# - ")]
    assert tuple(told) == taken.missing


def test_inputs_of_the_model_that_nothing_gives_are_missing() -> None:
    examples = {**answers()["examples"], "derive": {}}
    assert intake(answers(examples=examples)).missing == (
        "model.features: nothing gives lead at the decision; add lookups or derive them",
    )


def test_what_a_check_would_refuse_is_told_and_written_all_the_same() -> None:
    objective = {**answers()["objective"], "baseline": "prize > 500"}
    taken = intake(answers(objective=objective, train={"sead": 1}))
    with pytest.raises(ProductFileInvalid) as refused:
        parse_product(taken.product_text, taken.contract_text)
    assert taken.missing == refused.value.problems
    assert [one.split(": ")[1] for one in taken.missing] == ["train.sead", "objective.baseline"]
    numbers = [int(one.removeprefix("line ").split(":")[0]) for one in taken.missing]
    lines = taken.product_text.splitlines()
    assert "sead" in lines[numbers[0] - 1]
    assert "prize" in lines[numbers[1] - 1]
    assert all(f"# - {one}" in lines for one in taken.missing)


def test_what_is_missing_is_told_once() -> None:
    taken = intake(None)
    assert sum("known_at" in one.partition(": ")[0] for one in taken.missing) == 1
    assert not any(one.endswith(": missing") for one in taken.missing)


def test_a_model_that_does_not_tell_two_classes_apart_is_told() -> None:
    model = ModelFacts(digest=MODEL.digest, class_name="Ridge", features=MODEL.features, task="regression")
    assert intake(answers(), model).missing == (
        "model: a classifier with two classes; Ridge is for regression",
    )


def test_a_model_that_does_not_name_its_inputs_takes_all_but_the_lookup_keys() -> None:
    taken = intake(answers(), ModelFacts(digest=MODEL.digest, class_name="Pipeline", task="binary"))
    product = parse_product(taken.product_text, taken.contract_text)
    assert {feature.name for feature in product.features} == {"price", "clerk", "rain", "lead"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"colour": "red"}, "colour: not a section"),
        ({"owner": "me"}, "owner: expected a mapping"),
        ({"sources": {"bookings": {"path": "a", "python": "b:c"}}}, "sources.bookings"),
        ({"sources": {"planes": {"path": "a.csv"}}}, "sources.planes: no table was read"),
        ({"contract": {"planes": {}}}, "contract.planes: no source"),
        ({"contract": {"bookings": {"colour": 1}}}, "contract.bookings.colour: unknown"),
        ({"contract": {"bookings": {"columns": {"pirce": {"minimum": 0}}}}}, "columns.pirce: no such column"),
        ({"contract": {"bookings": {"columns": {"price": {"minimun": 0}}}}}, "price.minimun: unknown"),
        ({"contract": {"bookings": {"columns": {"price": {"minimum": "low"}}}}}, "columns.price: Expected"),
        ({"contract": {"bookings": {"columns": {"price": 7}}}}, "columns.price: expected a mapping"),
        ({"contract": {"bookings": {"stop_above": "many"}}}, "contract.bookings: Expected"),
    ],
)
def test_answers_that_cannot_be_used_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ProductFileInvalid, match=told):
        intake(answers(**changes))


def test_neither_answers_nor_a_sample_is_refused() -> None:
    with pytest.raises(ProductFileInvalid, match="sources: missing"):
        take_in(name="hotel", estimator="m.joblib", model=MODEL, frames={})


def test_declared_sources_are_those_of_the_answers() -> None:
    assert list(declared_sources(answers())) == ["bookings", "rain"]
    assert declared_sources(None) == {}


@pytest.mark.parametrize(
    ("file", "name"), [("data/My Table-1.csv", "my_table_1"), ("2024.parquet", "table_2024")]
)
def test_a_source_is_called_after_its_file(file: str, name: str) -> None:
    assert source_name(file) == name

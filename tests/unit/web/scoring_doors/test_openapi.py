"""OpenAPI from the contract: examples that are accepted, schemas that say what the decoder says, every status."""

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from seatrial.contract.decoder import RowDecoder
from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract, RowRule, TableContract
from seatrial.web.scoring.call import Door
from seatrial.web.scoring.column_schemas import column_schema, row_schema
from seatrial.web.scoring.examples import example_row
from seatrial.web.scoring.mlflow import MlflowDoor
from seatrial.web.scoring.oip import OipDoor
from seatrial.web.scoring.openapi import openapi
from seatrial.web.scoring.pattern_texts import pattern_texts
from tests.contracts import tables, values
from tests.doors import AskedServing, Everyone, as_serving, call, reply

_ERRORS = {"400", "401", "403", "404", "405", "408", "413", "415", "429", "500", "503", "504"}


def _names(table: TableContract) -> list[str]:
    return [column.name for column in table.columns]


def _is_doubly_bound(column: ColumnContract) -> bool:
    """Whether its texts must hold to rules that may leave no text at all, or step between bounds."""
    texts = [column.pattern, column.format, column.min_length, column.max_length]
    return sum(rule is not None for rule in texts) > 1 or column.multiple_of is not None


@settings(max_examples=50, deadline=None)
@given(tables())
def test_an_example_is_accepted_by_the_contract_that_it_is_made_from(table: TableContract) -> None:
    row = example_row(table, _names(table))
    # Rules may leave no row at all; those of one column alone leave some.
    assume(row is not None or not (table.row_rules or any(map(_is_doubly_bound, table.columns))))
    assert row is not None
    assert RowDecoder(table, _names(table)).partial([json.loads(json.dumps(row))])[1] == []
    assert list(row) == _names(table)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_has_an_example(form: str) -> None:
    table = TableContract(
        name="t", columns=(ColumnContract(name="a", type="string", required=True, format=form),)
    )
    assert example_row(table, ["a"]) is not None


@pytest.mark.parametrize(
    "rules",
    [
        {"type": "int", "minimum": 7, "maximum": 7},
        {"type": "int", "multiple_of": 250.0, "minimum": 1, "maximum": 300},
        {"type": "float", "exclusive_minimum": 0, "maximum": 1e-9},
        {"type": "float", "minimum": 0.1, "maximum": 0.2, "multiple_of": 0.05},
        {"type": "float", "exclusive_maximum": -5e10},
        {"type": "string", "pattern": "[A-Z]{3}-[0-9]{4}", "max_length": 8},
        {"type": "string", "pattern": "(?:LHR|CDG|FRA)", "min_length": 3},
        {"type": "string", "min_length": 40, "max_length": 41},
        {"type": "string", "max_length": 0},
        {"type": "string", "pattern": r"\w+@\d{2}[^a-z]?.", "min_length": 6},
    ],
)
def test_a_required_column_with_rules_has_an_example(rules: dict[str, Any]) -> None:
    table = TableContract(name="t", columns=(ColumnContract(name="a", required=True, **rules),))
    assert example_row(table, ["a"]) is not None


def test_an_example_holds_to_rules_over_several_columns() -> None:
    columns = (
        ColumnContract(name="from", type="timestamp", required=True),
        ColumnContract(name="to", type="timestamp", required=True),
        ColumnContract(name="least", type="int", required=True, minimum=10),
        ColumnContract(name="most", type="int", required=True, maximum=11),
    )
    rules = (
        RowRule(name="in order", expression='"to" > "from"'),
        RowRule(name="in bounds", expression="least <= most"),
    )
    table = TableContract(name="t", columns=columns, row_rules=rules)
    assert example_row(table, _names(table)) is not None


def test_a_contract_that_no_row_can_hold_to_has_no_example() -> None:
    columns = (ColumnContract(name="a", type="int", required=True, minimum=0),)
    rules = (RowRule(name="never", expression="a < 0"),)
    assert example_row(TableContract(name="t", columns=columns, row_rules=rules), ["a"]) is None


@settings(max_examples=50, deadline=None)
@given(st.data(), tables())
def test_the_schema_accepts_what_the_decoder_accepts(data: st.DataObject, table: TableContract) -> None:
    """And nothing else, as far as the schema's language goes."""
    column = data.draw(st.sampled_from(table.columns))
    value = data.draw(values(column))
    assume(json.loads(json.dumps(value, allow_nan=True)) == value)
    alone = TableContract(name="t", columns=(column,))
    accepted = not RowDecoder(alone, [column.name]).partial([{column.name: value}])[1]
    sayable = value not in (float("inf"), float("-inf"))
    schema = Draft202012Validator(
        row_schema(alone, [column.name]), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    valid = sayable and schema.is_valid({column.name: value})
    if accepted and not _beyond_schema(column, value):
        assert valid
    if valid and not _beyond_schema(column, value):
        assert accepted


def _beyond_schema(column: ColumnContract, value: Any) -> bool:
    """What the schema says more narrowly than the decoder, or cannot say."""
    if column.type in ("timestamp", "time", "date"):
        return True
    if column.type == "int" and isinstance(value, float):
        return True
    # `$` of Python's patterns stands before a last newline too; multiples are compared without tolerance there.
    return (isinstance(value, str) and value.endswith("\n")) or column.multiple_of is not None


@pytest.mark.parametrize(
    "text", ["2024-05-01T12:30:00Z", "2024-05-01T12:30:00.5-03:30", "0001-01-01T00:00:00Z"]
)
def test_moments_of_the_schema_are_accepted(text: str) -> None:
    column = ColumnContract(name="at", type="timestamp", required=True)
    assert Draft202012Validator(column_schema(column)).is_valid(text)
    assert not RowDecoder(TableContract(name="t", columns=(column,)), ["at"]).partial([{"at": text}])[1]
    for wrong in (
        "2024-05-01T12:30:00",
        "0000-01-01T00:00:00Z",
        "2024-05-01T24:30:00Z",
        "2024-13-01T00:00:00Z",
    ):
        assert not Draft202012Validator(column_schema(column)).is_valid(wrong)


def test_nullable_closed_sets_warnings_and_classifications_are_said() -> None:
    closed = ColumnContract(name="a", type="string", values=("x", "y"), description="One of two.")
    assert column_schema(closed) == {
        "type": ["string", "null"],
        "enum": ["x", "y", None],
        "description": "One of two.",
    }
    warned = ColumnContract(name="a", type="float", required=True, maximum=9, severity="warning")
    assert column_schema(warned) == {"type": "number", "description": "Usually at most 9."}
    secret = ColumnContract(name="a", type="bool", required=True, classification="pii")
    assert "faults do not show its value" in column_schema(secret)["description"]


@given(
    st.sampled_from([r"[a-c]+x?", r"(ab|cd){2,}", r"[^a]\d\W\S", r"a{3}", r".*z", r"(?:é|[0-9_-])+", r"\s\w"])
)
def test_texts_for_a_pattern_match_it(pattern: str) -> None:
    assert any(re.fullmatch(pattern, text) for text in pattern_texts(pattern))


def _described() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(openapi(as_serving(AskedServing())["hotel"])))
    return document


def test_every_operation_says_every_status_that_can_come_and_when_to_come_back() -> None:
    document = _described()
    posts = [path["post"] for path in document["paths"].values() if "post" in path]
    assert len(posts) == 6
    for operation in posts:
        assert set(operation["responses"]) == {"200"} | _ERRORS
        for status in ("429", "503"):
            assert "Retry-After" in operation["responses"][status]["headers"]
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere() -> None:
    document = _described()
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()


def test_its_example_of_csv_is_answered() -> None:
    more = (ColumnContract(name="tags", type="array"), ColumnContract(name="flag", type="bool"))
    serving = AskedServing(*more)
    document: Any = openapi(as_serving(serving)["hotel"])
    text = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["text/csv"]["example"]
    door = MlflowDoor(as_serving(serving), Everyone())
    assert reply(door, call("POST", "/invocations", text.encode(), content_type="text/csv")).status == 200
    row = document["components"]["schemas"]["Row"]["examples"][0]
    assert serving.rows == serving.live.decoder.convert([row])


def test_its_examples_are_answered_by_the_doors() -> None:
    serving = AskedServing()
    document = json.loads(json.dumps(openapi(as_serving(serving)["hotel"])))
    doors: tuple[Door, Door] = (
        OipDoor(as_serving(serving), Everyone()),
        MlflowDoor(as_serving(serving), Everyone()),
    )
    for door, path in zip(doors, ("/v2/models/hotel/infer", "/invocations"), strict=True):
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        answer = reply(door, call("POST", path, json.dumps(body).encode(), content_type="application/json"))
        assert answer.status == 200, answer.body
        schema = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        _validator(document, schema).validate(json.loads(answer.body))


@pytest.mark.parametrize(
    "path", ["/v2", "/v2/models", "/v2/models/hotel", "/v2/health/ready", "/v2/models/hotel/ready"]
)
def test_what_is_shown_has_the_shape_that_was_said(path: str) -> None:
    serving = AskedServing()
    document = json.loads(json.dumps(openapi(as_serving(serving)["hotel"])))
    answer = reply(OipDoor(as_serving(serving), Everyone()), call("GET", path))
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    _validator(document, schema).validate(json.loads(answer.body))


def test_errors_have_the_shape_that_was_said() -> None:
    document = _described()
    doors: tuple[Door, Door] = (
        OipDoor(as_serving(AskedServing()), Everyone()),
        MlflowDoor(as_serving(AskedServing()), Everyone()),
    )
    for door, path in zip(doors, ("/v2/models/hotel/infer", "/invocations"), strict=True):
        body = b'{"inputs": {"price": ["x"]}}' if path == "/invocations" else b'{"inputs": []}'
        answer = reply(door, call("POST", path, body, content_type="application/json"))
        schema = document["paths"][path]["post"]["responses"]["400"]["content"]["application/json"]["schema"]
        _validator(document, schema).validate(json.loads(answer.body))


def _validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator in which references of the document are found."""
    return Draft202012Validator({**schema, "components": document["components"]})


def test_a_request_may_only_break_the_contract_where_it_asks_for_the_good_rows() -> None:
    document = _described()
    schema = _validator(document, {"$ref": "#/components/schemas/PredictRequest"})
    row = document["components"]["schemas"]["Row"]["examples"][0]
    assert schema.is_valid({"rows": [row]})
    assert not schema.is_valid({"rows": [{**row, "price": "9"}]})
    assert not schema.is_valid({"rows": [{**row, "extra": 1}]})
    assert not schema.is_valid({"rows": [row], "extra": 1})
    assert schema.is_valid({"rows": [{**row, "price": "9"}], "partial": True, "idempotency_key": None})


def test_it_is_made_once_per_release() -> None:
    serving = as_serving(AskedServing())["hotel"]
    assert openapi(serving) is openapi(serving)

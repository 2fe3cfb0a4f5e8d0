"""Contract files: what is read, and every reason for which one is refused."""

import pytest
import yaml

from seatrial.contract.model import Contract, TableContract
from seatrial.contract.odcs import read_contract, write_contract
from seatrial.errors import ContractInvalid
from tests.contracts import WEATHER

HEAD = """
apiVersion: v3.1.0
kind: DataContract
id: demo
version: 1.0.0
status: active
"""
TABLE = """
schema:
  - name: readings
    properties:
      - {name: n, logicalType: integer}
"""


def with_property(text: str) -> str:
    return f"{HEAD}schema:\n  - name: readings\n    properties:\n      - {text}\n"


def problems(text: str) -> str:
    with pytest.raises(ContractInvalid) as refused:
        read_contract(text)
    return str(refused.value)


def table(text: str) -> TableContract:
    return read_contract(text).tables[0]


def test_the_written_file_is_the_standards_own() -> None:
    written = yaml.safe_load(write_contract(Contract(id="c", version="1.0.0", tables=(WEATHER,))))
    assert (written["apiVersion"], written["kind"]) == ("v3.1.0", "DataContract")
    wind = written["schema"][0]["properties"][2]
    assert wind["logicalType"] == "number"
    assert wind["logicalTypeOptions"] == {"minimum": 0, "maximum": 70}
    assert {"property": "mlRole", "value": "feature"} in wind["customProperties"]


def test_a_contract_without_our_extras_reads_with_defaults() -> None:
    read = table(HEAD + TABLE)
    assert (read.stop_above, read.minimum_rows, read.columns[0].role) == (0.1, 1, "other")


def test_a_primary_key_is_required_and_unique() -> None:
    column = table(with_property("{name: id, logicalType: string, primaryKey: true}")).columns[0]
    assert (column.required, column.unique) == (True, True)


def test_primary_keys_of_several_columns_are_unique_together_in_their_order() -> None:
    text = with_property("{name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 2}")
    read = table(text + "      - {name: b, logicalType: date, primaryKey: true, primaryKeyPosition: 1}\n")
    assert read.unique == (("b", "a"),)
    assert [column.unique for column in read.columns] == [False, False]
    assert read.columns[1].type == "timestamp"


@pytest.mark.parametrize(
    ("quality", "field", "value"),
    [
        ("{metric: nullValues, mustBe: 0}", "required", True),
        ("{metric: duplicateValues, mustBe: 0}", "unique", True),
        ("{metric: invalidValues, arguments: {validValues: [a, b]}, mustBe: 0}", "values", ("a", "b")),
        ("{metric: invalidValues, arguments: {pattern: 'a+'}, mustBe: 0}", "pattern", "a+"),
        ("{type: text, description: should look nice}", "required", False),
    ],
)
def test_rules_of_the_standards_library_are_enforced(quality: str, field: str, value: object) -> None:
    column = table(with_property(f"{{name: x, logicalType: string, quality: [{quality}]}}")).columns[0]
    assert getattr(column, field) == value


def test_a_severity_on_a_closed_set_is_the_columns() -> None:
    rule = "{metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0, severity: warning}"
    assert (
        table(with_property(f"{{name: x, logicalType: string, quality: [{rule}]}}")).columns[0].severity
        == "warning"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "line 1: not YAML"),
        ("just words", "expected a mapping"),
        (HEAD + TABLE + "colour: red\n", "colour: not a field of the Open Data Contract Standard"),
        (HEAD, "at least one table"),
        (HEAD.replace("v3.1.0", "v2.2.2") + TABLE, "apiVersion: expected v3.1.0, got v2.2.2"),
        (TABLE, "id: missing"),
        (with_property("{name: x, logicalType: string, colour: red}"), "x.colour: not a field"),
        (with_property("{name: x, logicalType: array}"), "logicalType: expected one of"),
        (
            with_property("{name: x, logicalType: number, logicalTypeOptions: {multipleOf: 5}}"),
            "x.logicalTypeOptions",
        ),
        (
            with_property("{name: x, logicalType: number, logicalTypeOptions: {minimum: low}}"),
            "expected a number",
        ),
        (
            with_property("{name: x, logicalType: number, logicalTypeOptions: {minimum: 2, maximum: 1}}"),
            "above maximum",
        ),
        (
            with_property("{name: x, logicalType: number, logicalTypeOptions: {maxLength: 3}}"),
            "for strings only",
        ),
        (
            with_property("{name: x, logicalType: string, logicalTypeOptions: {minimum: 3}}"),
            "are for numbers",
        ),
        (
            with_property("{name: x, logicalType: string, logicalTypeOptions: {pattern: '(a'}}"),
            "cannot be used",
        ),
        (
            with_property("{name: x, logicalType: string, logicalTypeOptions: {pattern: '(?=a)b'}}"),
            "cannot be used",
        ),
        (
            with_property("{name: x, logicalType: string, quality: [{type: sql, query: select 1}]}"),
            "not enforced",
        ),
        (
            with_property(
                "{name: x, logicalType: string, quality: [{metric: nullValues, mustBeLessThan: 5}]}"
            ),
            "enforced",
        ),
        (
            with_property(
                "{name: x, logicalType: string, customProperties: [{property: mlRole, value: hero}]}"
            ),
            "mlRole",
        ),
        (
            with_property("{name: x, logicalType: string}\n      - {name: x, logicalType: string}"),
            "two columns are called x",
        ),
    ],
)
def test_what_would_not_be_enforced_is_refused(text: str, told: str) -> None:
    assert told in problems(text)


def test_all_problems_are_told_at_once() -> None:
    told = problems(
        with_property(
            "{name: x, logicalType: blob, items: {name: y}, customProperties: [{property: mlRole, value: 1}]}"
        )
    )
    assert "3 problems" in told

"""Contract files: what is read, and every reason for which one is refused."""

import msgspec
import pytest
import yaml

from seatrial.contract.model import ColumnContract, Contract, TableContract
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


def test_a_primary_key_is_required() -> None:
    read = table(with_property("{name: id, logicalType: string, primaryKey: true}"))
    assert (read.primary_key, read.columns[0].required) == (("id",), True)


def test_primary_keys_of_several_columns_have_their_order() -> None:
    text = with_property("{name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 2}")
    read = table(text + "      - {name: b, logicalType: date, primaryKey: true, primaryKeyPosition: 1}\n")
    assert read.primary_key == ("b", "a")
    assert read.columns[1].type == "date"


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
        (with_property("{name: x, logicalType: blob}"), "logicalType: expected one of"),
        (with_property("{name: x}"), "logicalType: expected one of"),
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
            "not an option of the type float",
        ),
        (
            with_property("{name: x, logicalType: string, logicalTypeOptions: {minimum: 3}}"),
            "not an option of the type string",
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
            with_property("{name: x, logicalType: string, quality: [{metric: nullValues}]}"),
            "expected one of mustBe",
        ),
        (
            with_property("{name: x, logicalType: string, relationships: [{to: towns.name}]}"),
            "no such column: towns.name",
        ),
        (
            with_property(
                "{name: x, logicalType: string, quality: [{type: custom, engine: seatrial, implementation: y > 1}]}"
            ),
            "unknown column y",
        ),
        (HEAD + TABLE.replace("integer}", "integer, name: m}"), "line 11: not YAML: name is given twice"),
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
def test_what_makes_no_sense_is_refused(text: str, told: str) -> None:
    assert told in problems(text)


def test_all_problems_are_told_at_once() -> None:
    told = problems(
        with_property(
            "{name: x, logicalType: blob, logicalTypeOptions: {minimum: low}, "
            "customProperties: [{property: mlRole, value: 1}]}"
        )
    )
    assert "3 problems" in told


def column(text: str) -> ColumnContract:
    return table(with_property(text)).columns[0]


def test_exclusive_bounds_of_3_0_are_a_yes_or_no_about_the_bound_beside_them() -> None:
    text = with_property(
        "{name: x, logicalType: number, logicalTypeOptions: {minimum: 2, exclusiveMinimum: true, maximum: 5, "
        "exclusiveMaximum: false}}"
    ).replace("v3.1.0", "v3.0.2")
    contract = read_contract(text)
    read = contract.tables[0].columns[0]
    assert (read.minimum, read.exclusive_minimum, read.maximum, read.exclusive_maximum) == (None, 2, 5, None)
    wider = replaced(contract, exclusive_minimum=1.0)
    assert yaml.safe_load(write_contract(wider))["schema"][0]["properties"][0]["logicalTypeOptions"] == {
        "minimum": 1,
        "exclusiveMinimum": True,
        "maximum": 5,
    }


def replaced(contract: Contract, **fields: object) -> Contract:
    first = contract.tables[0]
    columns = (msgspec.structs.replace(first.columns[0], **fields), *first.columns[1:])
    return msgspec.structs.replace(contract, tables=(msgspec.structs.replace(first, columns=columns),))


@pytest.mark.parametrize(
    ("quality", "operator", "operands", "unit"),
    [
        ("{metric: nullValues, mustBeLessThan: 5, unit: percent}", "mustBeLessThan", (5.0,), "percent"),
        ("{rule: duplicateCount, mustBeLessOrEqualTo: 2}", "mustBeLessOrEqualTo", (2.0,), "rows"),
        ("{metric: nullValues, mustBe: 0, severity: info}", "mustBe", (0.0,), "rows"),
        ("{metric: missingValues, mustBeBetween: [1, 9]}", "mustBeBetween", (1.0, 9.0), "rows"),
    ],
)
def test_rules_about_how_many_rows_are_rules_of_the_table(
    quality: str, operator: str, operands: tuple[float, ...], unit: str
) -> None:
    read = table(with_property(f"{{name: x, logicalType: string, quality: [{quality}]}}"))
    rule = read.set_rules[0]
    assert (rule.columns, rule.operator, rule.operands, rule.unit) == (("x",), operator, operands, unit)
    assert not read.columns[0].required


def test_a_query_names_its_table_and_column() -> None:
    quality = '{type: sql, query: "SELECT COUNT(*) FROM ${table} WHERE ${column} IS NULL", mustBe: 0}'
    rule = table(with_property(f"{{name: x, logicalType: string, quality: [{quality}]}}")).set_rules[0]
    assert rule.query == "SELECT COUNT(*) FROM readings WHERE x IS NULL"


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (
            "quality: [{type: sql, query: SELECT QUALIFY FROM elsewhere, mustBe: 0}]",
            "quality x.sql: relation 'elsewhere' was not found",
        ),
        ("quality: [{type: custom, engine: soda, implementation: checks}]", "the engine soda are not run"),
        ("logicalTypeOptions: {format: password}", "format password is not checked"),
        ("relationships: [{to: 'other.yaml#/schema/a/properties/b'}]", "not a column of this file"),
    ],
)
def test_what_is_not_enforced_is_kept_and_told(part: str, told: str) -> None:
    text = with_property(f"{{name: x, logicalType: string, {part}}}")
    contract = read_contract(text)
    assert told in " ".join(contract.not_enforced)
    assert yaml.safe_load(write_contract(contract)) == yaml.safe_load(text)


def test_service_levels_about_age_and_volume_are_enforced() -> None:
    text = with_property("{name: at, logicalType: timestamp}") + (
        "slaProperties:\n"
        "- {property: latency, value: 4, unit: h, element: readings.at}\n"
        "- {property: volume, value: 10, valueExt: 90, unit: rows, element: readings}\n"
        "- {property: retention, value: 3, unit: y, element: readings.at}\n"
    )
    read = read_contract(text)
    assert [(age.column, age.seconds) for age in read.tables[0].freshness] == [("at", 4 * 3600)]
    assert [(one.operator, one.operands) for one in read.tables[0].set_rules] == [
        ("mustBeGreaterOrEqualTo", (10.0,)),
        ("mustBeLessOrEqualTo", (90.0,)),
    ]
    assert read.not_enforced == ("slaProperties.retention: a promise about the service, not about rows",)


def test_foreign_keys_are_read_of_columns_and_of_tables_by_name_or_id() -> None:
    text = f"""{HEAD}
schema:
  - name: calls
    properties:
      - {{name: town, logicalType: string, relationships: [{{to: places.town}}]}}
      - {{name: land, logicalType: string}}
    relationships:
      - {{from: [calls.town, calls.land], to: [/schema/p1/properties/town, places.land]}}
  - name: places
    id: p1
    properties:
      - {{name: town, logicalType: string}}
      - {{name: land, logicalType: string}}
"""
    keys = read_contract(text).tables[0].foreign_keys
    assert [(key.columns, key.table, key.to) for key in keys] == [
        (("town", "land"), "places", ("town", "land")),
        (("town",), "places", ("town",)),
    ]


def test_a_changed_rule_keeps_what_else_its_entry_says() -> None:
    quality = "{name: few, metric: nullValues, mustBeLessThan: 5, dimension: completeness, tags: [core]}"
    contract = read_contract(with_property(f"{{name: x, logicalType: string, quality: [{quality}]}}"))
    table = contract.tables[0]
    rule = msgspec.structs.replace(table.set_rules[0], operands=(3.0,), severity="warning")
    changed = msgspec.structs.replace(table, set_rules=(rule,))
    text = write_contract(msgspec.structs.replace(contract, tables=(changed,)))
    assert yaml.safe_load(text)["schema"][0]["properties"][0]["quality"] == [
        {
            "name": "few",
            "type": "library",
            "metric": "nullValues",
            "mustBeLessThan": 3,
            "severity": "warning",
            "dimension": "completeness",
            "tags": ["core"],
        }
    ]


def test_a_renamed_column_keeps_its_place_and_its_extras() -> None:
    contract = read_contract(with_property("{name: x, logicalType: string, businessName: The X}"))
    written = yaml.safe_load(write_contract(replaced(contract, name="y")))
    assert written["schema"][0]["properties"] == [
        {"name": "y", "logicalType": "string", "businessName": "The X"}
    ]


def test_countries_and_dates_without_quotes_are_texts() -> None:
    rule = "{metric: invalidValues, arguments: {validValues: [NO, SE, 2024-05-01]}, mustBe: 0}"
    assert column(f"{{name: x, logicalType: string, quality: [{rule}]}}").values == ("NO", "SE", "2024-05-01")


def test_a_closed_set_makes_rules_that_its_values_keep_needless() -> None:
    rule = "{metric: invalidValues, arguments: {validValues: [a, bb]}, mustBe: 0}"
    options = "logicalTypeOptions: {maxLength: 2}"
    read = column(f"{{name: x, logicalType: string, quality: [{rule}], {options}}}")
    assert (read.values, read.max_length) == (("a", "bb"), None)
    assert "needs no maxLength" in problems(
        with_property(
            f"{{name: x, logicalType: string, quality: [{rule}], logicalTypeOptions: {{maxLength: 1}}}}"
        )
    )

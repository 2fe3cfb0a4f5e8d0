"""Product files: what is read, and every problem with its line."""

import pytest

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.errors import ContractInvalid, ProductFileInvalid
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from tests.harbour import PRODUCT_FILE, TABLES, harbour_product

OBJECTIVE = """
objective:
  unit: EUR
  value: CASE WHEN decision AND late THEN 10 * hours_late WHEN decision THEN -5 ELSE 0 END
  value_range: [-100, 100]
  baseline: crew > 100
  outcome_depends_on_action: no
"""


def changed(old: str, new: str) -> str:
    assert old in PRODUCT_FILE
    return PRODUCT_FILE.replace(old, new)


def line(text: str, part: str) -> int:
    return next(number for number, one in enumerate(text.splitlines(), 1) if part in one)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ProductFileInvalid) as refused:
        harbour_product(text)
    return refused.value.problems


def test_columns_are_request_then_lookups_then_derived() -> None:
    product = harbour_product()
    assert list(product.columns) == [
        *("call", "announced_at", "quay", "basin", "ship", "crew"),
        *("depth", "length"),
        "room",
    ]
    assert product.request_columns == ("call", "announced_at", "quay", "basin", "ship", "crew")
    assert product.outcome_columns == ("late", "hours_late")


def test_by_default_features_are_what_the_contract_calls_so_and_lookups_and_derived() -> None:
    assert [feature.name for feature in harbour_product().features] == ["crew", "depth", "length", "room"]


def test_words_that_older_yaml_takes_for_booleans_are_words() -> None:
    product = harbour_product(PRODUCT_FILE + OBJECTIVE)
    assert product.objective.section.outcome_depends_on_action == "no"
    assert product.lookup("tides").on == ("quay", "basin")


def test_a_product_without_objective_says_so_only_when_it_is_asked_for() -> None:
    product = harbour_product()
    with pytest.raises(ProductFileInvalid, match="objective: missing"):
        _ = product.objective


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  key: call", "  key: shape", "no column shape"),
        ("  key: call", "  key: late", "must be string or int"),
        ("  made_at: announced_at", "  made_at: quay", "must be timestamp"),
        ("  from: calls", "  from: arrivals", "no source is called arrivals"),
        ("label: late", "label: crew", "must be bool"),
        ("columns: [length]", "columns: [width]", "no column width"),
        ("columns: [length]", "columns: [ship]", "column of the example already"),
        ("on: [ship]", "on: [captain]", "no column captain"),
        ("room: depth", "crew: depth", "column of the example already"),
        ("room: depth", "score: depth", "which means something else"),
        ("depth - length / 10", "depth - hours_late", "unknown column hours_late"),
        ("depth - length / 10", "depth -", "cannot read"),
        ("depth - length / 10", "SUM(depth)", "one row alone"),
        ("depth - length / 10", "announced_at", "expected a scalar"),
        ("matured_at: announced_at + INTERVAL '2 days'", "matured_at: crew", "expected a timestamp"),
        ("model: {task: binary", "model: {features: [late], task: binary", "no column late is known"),
        ("model: {task: binary", "model: {features: [announced_at], task: binary", "is a moment"),
        ("  tides: {path: tides.csv}", "  tides: {}", "exactly one of path, python"),
        ("available_after: 20m", "available_after: soon", "expected a duration"),
        ("purpose: Say", "capacity: 3\npurpose: Say", "does not act on this field"),
        ("task: binary", "task: regression", "'binary'"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, told: str) -> None:
    text = changed(old, new)
    found = problems(text)
    assert [one for one in found if told in one]
    assert all(one.startswith("line ") for one in found)


def test_the_line_is_the_one_where_the_mistake_stands() -> None:
    text = changed("room: depth - length / 10", "room: depth - hours_late")
    assert [one.split(":")[0] for one in problems(text)] == [f"line {line(text, 'room:')}"]


def test_all_mistakes_are_told_at_once() -> None:
    text = PRODUCT_FILE.replace("columns: [length]", "columns: [width]").replace("key: call", "key: shape")
    assert len(problems(text)) >= 2
    broken = PRODUCT_FILE.replace("task: binary", "task: no").replace("purpose: Say", "purpos: Say")
    assert len(problems(broken)) == 3


@pytest.mark.parametrize("text", ["", "- a\n", "product: [\n"])
def test_what_is_no_product_file_is_refused(text: str) -> None:
    assert problems(text)


def test_a_broken_contract_is_its_own_error() -> None:
    with pytest.raises(ContractInvalid):
        parse_product(PRODUCT_FILE, "kind: other")


def test_a_source_without_a_contract_is_told() -> None:
    contract = write_contract(Contract(id="harbour", version="1.0.0", tables=TABLES[:2]))
    with pytest.raises(ProductFileInvalid, match="the contract has no table ships"):
        parse_product(PRODUCT_FILE, contract)


@pytest.mark.parametrize("name", ["score", "threshold", "decision", "known_at", "matured_at"])
def test_columns_must_not_bear_names_that_mean_something_else(name: str) -> None:
    with pytest.raises(ProductFileInvalid, match=f"a column is called {name}"):
        with_column(name)


def with_column(name: str) -> Product:
    calls = TableContract(name="calls", columns=(*TABLES[0].columns, ColumnContract(name=name, type="float")))
    contract = Contract(id="harbour", version="1.0.0", tables=(calls, *TABLES[1:]))
    return parse_product(PRODUCT_FILE, write_contract(contract))


def test_another_contract_is_another_digest() -> None:
    assert with_column("draught").digest != harbour_product().digest
    assert with_column("draught").digest == with_column("draught").digest

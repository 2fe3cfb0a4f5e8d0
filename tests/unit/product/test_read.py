"""Product files: what is read, and every problem with its line."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from seatrial.errors import ContractInvalid, ProductFileInvalid
from seatrial.product.product import Product
from seatrial.product.read import parse_product, read_product
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
        ("as_of: measured_at, available_after: 20m", "as_of: depth", "depth must be timestamp or date"),
        ("available_after: 20m", "known_at: depth", "column depth must be timestamp"),
        ("available_after: 20m", "known_at: told_at", "tides has no column told_at"),
        ("available_after: 20m", "available_after: 20m, known_at: measured_at", "not both"),
        ("on: [ship], columns: [length]", "on: [ship], known_at: length, columns: [length]", "needs as_of"),
        ("on: [quay, basin]", "on: [quay, depth]", "no column depth to look up by"),
        ("{on: [ship], ", "{source: tides, on: [basin, quay, crew], ", "no column crew"),
        ("room: depth", "crew: depth", "column of the example already"),
        ("room: depth", "score: depth", "which means something else"),
        ("depth - length / 10", "depth - hours_late", "unknown column hours_late"),
        ("depth - length / 10", "depth -", "cannot read"),
        ("depth - length / 10", "SUM(depth)", "one row alone"),
        ("depth - length / 10", "announced_at", "expected a scalar"),
        ("matured_at: announced_at + INTERVAL '2 days'", "matured_at: crew", "expected a timestamp"),
        ("model: {task: binary", "model: {features: [late], task: binary", "no column late is known"),
        ("model: {task: binary", "model: {features: [announced_at], task: binary", "is a moment"),
        ("  tides: {path: tides.csv}", "  tides: {}", "exactly one of path, sql"),
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


def places(text: str) -> list[str]:
    """Line and field of every problem."""
    return [": ".join(problem.split(": ")[:2]) for problem in problems(text)]


def fields(found: Sequence[str]) -> list[str]:
    return [one.split(": ")[1] for one in found]


def mended(*changes: tuple[str, str]) -> str:
    text = PRODUCT_FILE + OBJECTIVE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_a_fault_of_the_schema_does_not_hide_one_of_an_expression() -> None:
    text = mended(
        ("\nobjective:\n", "\nserve: {deadlin: 1s}\nobjective:\n"), ("10 * hours_late", "10 * wieght")
    )
    assert places(text) == [
        f"line {line(text, 'deadlin')}: serve.deadlin",
        f"line {line(text, 'wieght')}: objective.value",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("purpose: Say", "purpos: Say"),
        ("made_at: announced_at", "mad_at: announced_at"),
        ("matured_at: announced_at", "mathured_at: announced_at"),
        ("known_at: berthed_at", "known_at: [berthed_at]"),
        ("label: late", "label: [late]"),
        ("  unit: EUR", "  unit: EUR\n  threshold: 3"),
        ("value_range: [-100, 100]", "value_range: [100, -100]"),
        ("{task: binary", "{task: ternary"),
        ("calls: {path: calls.csv}", "calls: {}"),
        ("sources:", "sorces:"),
    ],
)
def test_what_can_be_checked_is_checked_beside_any_fault(old: str, new: str) -> None:
    without = fields(places(mended((old, new))))
    both = fields(places(mended((old, new), ("baseline: crew > 100", "baseline: crw > 100"))))
    assert without
    assert both == [*without, "objective.baseline"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  lookups:", "  lokups:", ["examples.lokups"]),
        ("  derive:", "  dreive:", ["examples.dreive"]),
        ("available_after: 20m", "available_after: soon", ["examples.lookups.tides.available_after"]),
        ("room: depth", "room: dpth", ["examples.derive.room"]),
        ("room: depth - length / 10", "room: 3", ["examples.derive.room"]),
        ("tides: {path", "Tides: {path", ["sources.Tides"]),
        ("  from: calls", "  from: [calls]", ["examples.from"]),
        ("examples:\n", "examples: 3\nexemples:\n", ["examples", "exemples"]),
    ],
)
def test_what_only_follows_from_a_fault_is_not_told(old: str, new: str, told: list[str]) -> None:
    text = mended(
        (old, new),
        ("baseline: crew > 100", "baseline: room > depth"),
        ("{task: binary", "{features: [room, depth], task: binary"),
    )
    assert fields(places(text)) == told


def test_a_table_that_the_contract_lacks_hides_no_mistake_and_brings_no_other() -> None:
    contract = write_contract(Contract(id="harbour", version="1.0.0", tables=TABLES[:2]))
    text = mended(("crew > 100", "crew > AVG(crew)"), ("10 * hours_late", "10 * room"))
    with pytest.raises(ProductFileInvalid) as refused:
        parse_product(text, contract)
    assert fields(refused.value.problems) == ["sources.ships", "objective.baseline"]


def test_faults_of_the_file_and_of_the_contract_are_told_together() -> None:
    with pytest.raises(ProductFileInvalid) as refused:
        parse_product(changed("purpose: Say", "purpos: Say"), "kind: other")
    assert {one.split(":")[0] for one in refused.value.problems} >= {"line 2", "line 3", "contract.yaml"}


def test_a_contract_that_is_not_there_hides_no_fault_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "product.yaml").write_text(changed("purpose: Say", "purpos: Say"))
    with pytest.raises(ProductFileInvalid) as refused:
        read_product(tmp_path)
    assert fields(refused.value.problems) == ["purpose", "purpos", "contract"]


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("retrain: {cost: 3}", "retrain.cost: this version does not act on this field"),
        ("release: {canary: [50%, 5%]}", "release.canary: each share must be larger than the one before it"),
        ("release: {canary: [5%, 5%]}", "release.canary: each share must be larger than the one before it"),
        ("train: {seed: -1}", "train.seed: Input should be greater than or equal to 0"),
        ("train: {seed: 4294967296}", "train.seed: Input should be less than 4294967296"),
    ],
)
def test_a_section_says_nothing_that_is_not_done(section: str, told: str) -> None:
    [problem] = problems(f"{PRODUCT_FILE}{section}\n")
    assert told in problem


def test_shares_that_ascend_and_the_largest_seed_are_taken() -> None:
    product = harbour_product(f"{PRODUCT_FILE}release: {{canary: [5%, 50%]}}\ntrain: {{seed: 4294967295}}\n")
    assert product.file.release.canary == (0.05, 0.5)
    assert product.file.train.seed == 2**32 - 1


@pytest.mark.parametrize("name", ["Harbour", "1st", "my harbour", "my_harbour"])
def test_a_name_that_cannot_be_one_is_told_in_words(name: str) -> None:
    [problem] = problems(changed("product: harbour", f"product: {name}"))
    assert "expected small letters, digits and dashes, beginning with a letter" in problem
    assert "pattern" not in problem


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


def test_a_lookup_key_of_another_type_than_the_requests_is_told() -> None:
    calls, tides, ships = TABLES
    columns = tuple(
        msgspec.structs.replace(column, type="string") if column.name == "basin" else column
        for column in tides.columns
    )
    other = (calls, msgspec.structs.replace(tides, columns=columns), ships)
    contract = write_contract(Contract(id="harbour", version="1.0.0", tables=other))
    with pytest.raises(ProductFileInvalid, match="basin is int in the request and string in the lookup"):
        parse_product(PRODUCT_FILE, contract)

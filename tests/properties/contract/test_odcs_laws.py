"""Nothing of a contract file is lost: read and written, a document is the same data and a contract equal."""

import json
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import yaml
from hypothesis import HealthCheck, given, settings

from seatrial.contract.model import Contract
from seatrial.contract.odcs import read_contract, write_contract
from seatrial.contract.yaml_text import dump, parse
from tests.odcs_documents import documents, rich_contracts

STANDARD = jsonschema.Draft201909Validator(
    json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
)


def strictly(data: object) -> str:
    """So that 1, 1.0 and true are three things."""
    return json.dumps(data, sort_keys=True)


@given(rich_contracts())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_a_written_contract_reads_as_the_same_contract(contract: Contract) -> None:
    assert read_contract(write_contract(contract)) == contract


@given(document=documents())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_a_document_that_is_read_and_written_is_the_same_data(document: dict[str, Any]) -> None:
    STANDARD.validate(document)
    written = write_contract(read_contract(dump(document)))
    assert strictly(parse(written)[0]) == strictly(document)
    assert strictly(yaml.safe_load(written)) == strictly(document)


@given(document=documents(), other=rich_contracts())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_contract_keeps_the_change_and_all_the_rest(
    document: dict[str, Any], other: Contract
) -> None:
    """Every modelled field of the key's column and of the table's head becomes that of another contract."""
    contract = read_contract(dump(document))
    table, model = contract.tables[0], other.tables[0].columns[0]
    column = msgspec.structs.replace(model, name="key", type="string", required=True, **no_numbers(model))
    changed = msgspec.structs.replace(
        contract,
        version=other.version,
        tables=(
            msgspec.structs.replace(
                table,
                columns=(column, *table.columns[1:]),
                minimum_rows=other.tables[0].minimum_rows,
                stop_above=other.tables[0].stop_above,
                description=other.tables[0].description,
            ),
        ),
    )
    text = write_contract(changed)
    STANDARD.validate(yaml.safe_load(text))
    assert modelled(read_contract(text)) == modelled(changed)
    kept = [part for part in document if part not in ("version", "schema")]
    assert strictly({part: parse(text)[0][part] for part in kept}) == strictly(
        {part: document[part] for part in kept}
    )
    assert strictly(parse(text)[0]["schema"][0]["properties"][1:]) == strictly(
        document["schema"][0]["properties"][1:]
    )


def no_numbers(column: object) -> dict[str, Any]:
    fields = ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of")
    return dict.fromkeys(fields)


def modelled(contract: Contract) -> Contract:
    return msgspec.structs.replace(contract, more="", not_enforced=())

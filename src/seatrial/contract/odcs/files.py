"""Contract files as text, read with every problem named and written with nothing lost."""

import json
from typing import Any

import msgspec

from seatrial.contract.model import Contract
from seatrial.contract.odcs.reading import interpret
from seatrial.contract.odcs.standard import API_VERSION, document
from seatrial.contract.odcs.writing import change_document
from seatrial.contract.sanity import contract_problems
from seatrial.contract.yaml_text import dump
from seatrial.errors import ContractInvalid

__all__ = ["API_VERSION", "read_contract", "write_contract"]


def read_contract(text: str, *, name: str = "contract.yaml") -> Contract:
    """The contract in an ODCS text (v3.0 to v3.2). Raises ContractInvalid with every problem found.

    What the standard has and Seatrial does not act on is kept in `more` and, where it is a rule, told in
    `not_enforced`.
    """
    data = document(text, name)
    reading = interpret(data)
    problems = list(reading.problems) or contract_problems(reading.contract)
    if problems:
        raise ContractInvalid(problems, name=name)
    said = _json(data)
    more = "" if said == _json(_document(reading.contract)) else said
    return msgspec.structs.replace(reading.contract, more=more)


def write_contract(contract: Contract) -> str:
    """The contract as ODCS in YAML: what it was read from, with every change since; by itself, v3.1.

    `read_contract` gives an equal contract back, and a contract that was read and not changed the same data.
    """
    return dump(_document(contract))


def _document(contract: Contract) -> dict[str, Any]:
    if contract.more:
        data: dict[str, Any] = json.loads(contract.more)
    else:
        data = {
            "apiVersion": API_VERSION,
            "kind": "DataContract",
            "id": contract.id,
            "version": contract.version,
        }
        data |= {"status": contract.status}
    change_document(data, contract)
    return data


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, allow_nan=False)

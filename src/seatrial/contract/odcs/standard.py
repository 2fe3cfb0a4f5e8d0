"""Whether a text is a document of the standard: its fields, their types, its version."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml

from seatrial.contract.yaml_text import parse
from seatrial.errors import ContractInvalid

if TYPE_CHECKING:
    from open_data_contract_standard.model import OpenDataContractStandard

API_VERSION = "v3.1.0"
_READABLE = ("v3.0.", "v3.1.", "v3.2.")
_MARK = "not a field of the Open Data Contract Standard"


def document(text: str, name: str) -> dict[str, Any]:
    """The data of an ODCS text. Raises ContractInvalid with every field that is unknown or of a wrong type."""
    data = _parsed(text, name)
    validated = _validated(data, name)
    problems = [*_unknown_fields(data, validated), *_head_problems(data)]
    if problems:
        raise ContractInvalid(problems, name=name)
    return data


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        data, problems = parse(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise ContractInvalid([f"{line}not YAML: {getattr(error, 'problem', error)}"], name=name) from error
    if not isinstance(data, dict):
        raise ContractInvalid(["expected a mapping that begins with `apiVersion:`"], name=name)
    if problems:
        raise ContractInvalid(problems, name=name)
    return data


def _validated(data: dict[str, Any], name: str) -> "OpenDataContractStandard":
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    try:
        return OpenDataContractStandard.model_validate(data)
    except ValidationError as error:
        raise ContractInvalid([_sentence(fault) for fault in error.errors()], name=name) from error


def _sentence(fault: Any) -> str:
    where = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{where}: {_MARK}"
    return f"{where}: {fault['msg']} (got {fault['input']!r:.80})"


def _head_problems(data: dict[str, Any]) -> Iterator[str]:
    if data.get("kind", "DataContract") != "DataContract":
        yield f"kind: expected DataContract, got {data['kind']}"
    if not str(data.get("apiVersion")).startswith(_READABLE):
        yield f"apiVersion: expected {API_VERSION}, got {data.get('apiVersion')}"
    for field in ("id", "version"):
        if not data.get(field):
            yield f"{field}: missing"
    if not data.get("schema"):
        yield "schema: at least one table is needed"


def _unknown_fields(data: dict[str, Any], validated: "OpenDataContractStandard") -> Iterator[str]:
    """Keys that the standard's models dropped: the deeper ones are not refused by the models themselves."""
    kept = validated.model_dump(by_alias=True, exclude_unset=True)
    for path in _dropped(data, kept):
        yield f"{path}: {_MARK}"


def _dropped(data: Any, kept: Any, path: str = "") -> Iterator[str]:
    if isinstance(data, dict) and isinstance(kept, dict):
        for key, value in data.items():
            where = f"{path}.{key}" if path else str(key)
            if key in kept:
                yield from _dropped(value, kept[key], where)
            else:
                yield where
    elif isinstance(data, list) and isinstance(kept, list):
        for index, (ours, theirs) in enumerate(zip(data, kept, strict=True)):
            label = ours.get("name", index) if isinstance(ours, dict) else index
            yield from _dropped(ours, theirs, f"{path}.{label}")

"""Reading a product file: every problem at once, each with its line and reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from seatrial.contract.odcs import read_contract
from seatrial.errors import ContractInvalid, ProductFileInvalid
from seatrial.product.compiling import Compiled, Compiler
from seatrial.product.product import CompiledObjective, Product, text_digest
from seatrial.product.schema import ProductFile
from seatrial.product.sound import Fault, Parts, parts_of, sound_parts
from seatrial.product.yaml_lines import line_of, parse_yaml

FILE_NAME = "product.yaml"


def read_product(folder: Path) -> Product:
    """The product in `folder`. Raises ProductFileInvalid with every problem found, or ContractInvalid."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise ProductFileInvalid([f"no {FILE_NAME} in {folder}; `seatrial init` writes one"], name=str(path))
    text = path.read_text()
    parsed = _parse_file(text)
    contract = folder / parsed.contract
    if not contract.is_file():
        line = line_of(parsed.node, ["contract"])
        missing = f"line {line}: contract: no file {parsed.contract} in {folder}"
        raise ProductFileInvalid([*parsed.problems, missing], name=FILE_NAME)
    return _compiled(parsed, (text, contract.read_text()), folder)


def parse_product(text: str, contract_text: str, *, folder: Path | None = None) -> Product:
    """The product from the texts of its file and contract. Raises ProductFileInvalid or ContractInvalid."""
    return _compiled(_parse_file(text), (text, contract_text), folder)


@dataclass(frozen=True)
class _Parsed:
    """A product file as far as it keeps to the schema: the whole `file`, or None and the problems."""

    file: ProductFile | None
    parts: Parts | None
    contract: str
    node: yaml.Node | None
    problems: tuple[str, ...] = ()


def _parse_file(text: str) -> _Parsed:
    data, node = parse_yaml(text, FILE_NAME)
    if not isinstance(data, dict):
        raise ProductFileInvalid(["line 1: expected a mapping that begins with `product:`"], name=FILE_NAME)
    try:
        file = ProductFile.model_validate(data)
    except ValidationError as error:
        faults = error.errors()
        name = data.get("contract")
        places = [Fault(_path(fault), fault["type"] == "extra_forbidden") for fault in faults]
        return _Parsed(
            file=None,
            parts=sound_parts(data, places),
            contract=name if isinstance(name, str) else ProductFile.model_fields["contract"].default,
            node=node,
            problems=tuple(_sentence(fault, node) for fault in faults),
        )
    return _Parsed(file, parts_of(file), file.contract, node)


def _compiled(parsed: _Parsed, texts: tuple[str, str], folder: Path | None) -> Product:
    try:
        contract = read_contract(texts[1], name=parsed.contract)
    except ContractInvalid as error:
        if not parsed.problems:
            raise
        problems = [*parsed.problems, *(f"{parsed.contract}: {problem}" for problem in error.problems)]
        raise ProductFileInvalid(problems, name=FILE_NAME) from error
    if parsed.parts is None:
        raise ProductFileInvalid(parsed.problems, name=FILE_NAME)
    compiler = Compiler(parsed.parts, contract, parsed.node)
    compiled = compiler.compile()
    problems = [*parsed.problems, *compiler.problems]
    if problems or parsed.file is None or compiled is None or compiled.matured_at is None:
        raise ProductFileInvalid(problems, name=FILE_NAME)
    return Product(
        file=parsed.file,
        contract=contract,
        texts=texts,
        folder=folder,
        columns=compiled.columns,
        features=compiled.features,
        lookup_names=compiled.lookup_names,
        derive=compiled.derive,
        matured_at=compiled.matured_at,
        compiled_objective=_objective(parsed.file, compiled),
    )


def _objective(file: ProductFile, compiled: Compiled) -> CompiledObjective | None:
    section = file.objective
    if section is None:
        return None
    return CompiledObjective(section, digest=text_digest(section.model_dump_json()), **compiled.objective)


def _path(fault: Any) -> tuple[int | str, ...]:
    # Discriminating parts such as `literal['auto']` are pydantic's, not the file's.
    return tuple(part for part in fault["loc"] if isinstance(part, int) or not set(str(part)) & set("[]("))


def _sentence(fault: Any, node: yaml.Node | None) -> str:
    path = _path(fault)
    where = f"line {line_of(node, path)}: {'.'.join(map(str, path))}"
    if fault["type"] == "extra_forbidden":
        return f"{where}: this version does not act on this field, so it does not accept it"
    if fault["type"] == "missing":
        return f"{where}: missing"
    message = fault["msg"].removeprefix("Value error, ")
    shown = repr(fault["input"])
    return f"{where}: {message}" + (f" (got {shown})" if len(shown) <= 80 and shown not in message else "")

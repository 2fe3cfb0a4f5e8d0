"""Reading a product file: every problem at once, each with its line and reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from seatrial.contract.model import Contract
from seatrial.contract.odcs import read_contract
from seatrial.errors import ExpressionInvalid, ProductFileInvalid, SeatrialError
from seatrial.product.expressions import Expression, ResultType, compile_expression
from seatrial.product.features import Feature
from seatrial.product.product import CompiledObjective, Product, text_digest
from seatrial.product.schema import Objective, ProductFile
from seatrial.product.yaml_lines import line_of, parse_yaml

FILE_NAME = "product.yaml"
RESERVED = frozenset({"score", "threshold", "decision", "known_at", "matured_at"})


def read_product(folder: Path) -> Product:
    """The product in `folder`. Raises ProductFileInvalid with every problem found, or ContractInvalid."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise ProductFileInvalid([f"no {FILE_NAME} in {folder}; `seatrial init` writes one"], name=str(path))
    text = path.read_text()
    contract_text = _contract_text(folder, text)
    return parse_product(text, contract_text, folder=folder)


def parse_product(text: str, contract_text: str, *, folder: Path | None = None) -> Product:
    """The product from the texts of its file and contract. Raises ProductFileInvalid or ContractInvalid."""
    file, node = _parse_file(text)
    contract = read_contract(contract_text, name=file.contract)
    return _Compiler(file, contract, node).compile((text, contract_text), folder)


def _contract_text(folder: Path, text: str) -> str:
    data, node = parse_yaml(text, FILE_NAME)
    name = data.get("contract", "contract.yaml") if isinstance(data, dict) else "contract.yaml"
    path = folder / str(name)
    if not path.is_file():
        line = line_of(node, ["contract"])
        raise ProductFileInvalid([f"line {line}: contract: no file {name} in {folder}"], name=FILE_NAME)
    return path.read_text()


def _parse_file(text: str) -> tuple[ProductFile, yaml.Node | None]:
    data, node = parse_yaml(text, FILE_NAME)
    if not isinstance(data, dict):
        raise ProductFileInvalid(["line 1: expected a mapping that begins with `product:`"], name=FILE_NAME)
    try:
        return ProductFile.model_validate(data), node
    except ValidationError as error:
        problems = [_sentence(fault, node) for fault in error.errors()]
        raise ProductFileInvalid(problems, name=FILE_NAME) from error


def _sentence(fault: Any, node: yaml.Node | None) -> str:
    # Discriminating parts such as `literal['auto']` are pydantic's, not the file's.
    path = [part for part in fault["loc"] if isinstance(part, int) or not set(str(part)) & set("[](")]
    where = f"line {line_of(node, path)}: {'.'.join(map(str, path))}"
    if fault["type"] == "extra_forbidden":
        return f"{where}: this version does not act on this field, so it does not accept it"
    if fault["type"] == "missing":
        return f"{where}: missing"
    message = fault["msg"].removeprefix("Value error, ")
    shown = repr(fault["input"])
    return f"{where}: {message}" + (f" (got {shown})" if len(shown) <= 80 and shown not in message else "")


@dataclass
class _Compiler:
    """Compiles a parsed file against its contract, and keeps every problem it meets."""

    file: ProductFile
    contract: Contract
    node: yaml.Node | None
    problems: list[str] = field(default_factory=list)

    def compile(self, texts: tuple[str, str], folder: Path | None) -> Product:
        if not self._sources_are_covered():
            raise ProductFileInvalid(self.problems, name=FILE_NAME)
        known = self._request_types()
        outcomes = self._outcome_types()
        names = self._lookups(known)
        derive = self._derived(known)
        self._names_are_free([*known, *outcomes])
        matured = self._expression(
            ["examples", "matured_at"], self.file.examples.matured_at, known, "timestamp"
        )
        features = self._features(known)
        objective = self._objective(known, outcomes)
        if self.problems or matured is None:
            raise ProductFileInvalid(self.problems, name=FILE_NAME)
        return Product(
            file=self.file,
            contract=self.contract,
            texts=texts,
            folder=folder,
            columns=known,
            features=features,
            lookup_names=names,
            derive=derive,
            matured_at=matured,
            compiled_objective=objective,
        )

    def _problem(self, path: Sequence[int | str], message: str) -> None:
        self.problems.append(f"line {line_of(self.node, path)}: {'.'.join(map(str, path))}: {message}")

    def _sources_are_covered(self) -> bool:
        before = len(self.problems)
        for name in self.file.sources:
            if self.contract.table(name) is None:
                self._problem(["sources", name], f"the contract has no table {name}")
        if self.file.examples.source not in self.file.sources:
            self._problem(["examples", "from"], f"no source is called {self.file.examples.source}")
        for name, lookup in self.file.examples.lookups.items():
            if (lookup.source or name) not in self.file.sources:
                self._problem(["examples", "lookups", name], f"no source is called {lookup.source or name}")
        return len(self.problems) == before

    def _request_types(self) -> dict[str, str]:
        examples = self.file.examples
        table = self.contract.table(examples.source)
        assert table is not None
        self._expect_column("key", examples.key, ("string", "int"))
        self._expect_column("made_at", examples.made_at, ("timestamp",))
        self._expect_column("known_at", examples.known_at, ("timestamp",))
        later = {examples.outcome.label, *examples.outcome.also, examples.known_at}
        return {column.name: column.type for column in table.columns if column.name not in later}

    def _expect_column(self, field_name: str, column_name: str, types: tuple[str, ...]) -> str | None:
        table = self.contract.table(self.file.examples.source)
        column = table.column(column_name) if table else None
        path = ["examples", *field_name.split(".")]
        if column is None:
            self._problem(
                path, f"the contract's table {self.file.examples.source} has no column {column_name}"
            )
            return None
        if column.type not in types:
            self._problem(
                path, f"column {column_name} must be {' or '.join(types)}, the contract says {column.type}"
            )
        return column.type

    def _names_are_free(self, names: Sequence[str]) -> None:
        """Columns must not bear the names that expressions and examples give to something else."""
        taken = RESERVED - {self.file.examples.known_at}
        for name in sorted(taken.intersection(names)):
            self._problem(
                ["examples"], f"a column is called {name}, which means something else here; rename it"
            )

    def _outcome_types(self) -> dict[str, str]:
        outcome = self.file.examples.outcome
        types = {outcome.label: self._expect_column("outcome.label", outcome.label, ("bool",))}
        for name in outcome.also:
            types[name] = self._expect_column("outcome.also", name, ("bool", "float", "int", "string"))
        return {name: kind for name, kind in types.items() if kind is not None}

    def _lookups(self, known: dict[str, str]) -> dict[str, dict[str, str]]:
        names: dict[str, dict[str, str]] = {}
        for name, lookup in self.file.examples.lookups.items():
            path = ["examples", "lookups", name]
            table = self.contract.table(lookup.source or name)
            assert table is not None
            for column_name in lookup.on:
                if column_name not in known:
                    self._problem([*path, "on"], f"the request has no column {column_name} to look up by")
            wanted = (*lookup.on, *([lookup.as_of] if lookup.as_of else ()), *lookup.columns)
            missing = [column for column in wanted if table.column(column) is None]
            for column_name in missing:
                self._problem(path, f"the contract's table {table.name} has no column {column_name}")
            taken = [column for column in lookup.columns if column in known]
            for column_name in taken:
                self._problem([*path, "columns"], f"{column_name} is a column of the example already")
            names[name] = {column: column for column in lookup.columns}
            for column_name in lookup.columns:
                column = table.column(column_name)
                if column is not None and column_name not in taken:
                    known[column_name] = column.type
        return names

    def _derived(self, known: dict[str, str]) -> dict[str, Expression]:
        derived: dict[str, Expression] = {}
        for name, text in self.file.examples.derive.items():
            if name in known:
                self._problem(["examples", "derive", name], f"{name} is a column of the example already")
                continue
            expression = self._expression(["examples", "derive", name], text, known, "scalar")
            if expression is not None:
                derived[name] = expression
                known[name] = expression.type
        return derived

    def _features(self, known: dict[str, str]) -> tuple[Feature, ...]:
        chosen = self.file.model.features
        if chosen == "all":
            return tuple(Feature(name, kind) for name, kind in known.items() if self._is_feature(name, kind))
        for name in chosen:
            if name not in known:
                self._problem(["model", "features"], f"no column {name} is known at the decision")
            elif known[name] == "timestamp":
                self._problem(["model", "features"], f"{name} is a moment; derive a number from it")
        return tuple(Feature(name, known[name]) for name in chosen if name in known)

    def _is_feature(self, name: str, kind: str) -> bool:
        """By default: what the contract calls a feature, lookups and derived columns; moments never."""
        table = self.contract.table(self.file.examples.source)
        column = table.column(name) if table else None
        return kind != "timestamp" and (column is None or column.role == "feature")

    def _objective(self, known: dict[str, str], outcomes: dict[str, str]) -> CompiledObjective | None:
        section = self.file.objective
        if section is None:
            return None
        scored = {**known, "score": "float", "threshold": "float"}
        decision = self._expression(["objective", "decision"], section.decision, scored, "bool")
        baseline = self._expression(["objective", "baseline"], section.baseline, known, "bool")
        settled = {**known, **outcomes, "decision": "bool"}
        value = self._expression(["objective", "value"], section.value, settled, "number")
        if decision is None or baseline is None or value is None:
            return None
        return CompiledObjective(section, decision, value, baseline, _objective_digest(section))

    def _expression(
        self, path: list[str], text: str, columns: dict[str, str], expected: ResultType
    ) -> Expression | None:
        try:
            return compile_expression(text, columns, expected, name=path[-1])
        except ExpressionInvalid as error:
            self._problem(path, str(error).removeprefix(f"{path[-1]}: "))
            return None


def _objective_digest(section: Objective) -> str:
    return text_digest(section.model_dump_json())


def problems_of(folder: Path) -> Iterator[str]:
    """Every problem of the product in `folder`, in words; nothing when it can be used."""
    try:
        read_product(folder)
    except SeatrialError as error:
        yield from getattr(error, "problems", (str(error),))

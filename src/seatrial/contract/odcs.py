"""Contract files: Open Data Contract Standard v3.1, read strictly and written.

What Seatrial enforces is taken from the standard's own fields; its few extras (role for the model, the share at
which a table is refused, the evidence of an inferred rule) are custom properties. A rule that it would not
enforce is a problem, not decoration; plain descriptions (team, prices, tags) are let through.

`severity` rules ranges, patterns, lengths and closed sets. Type, required and unique always put a row aside.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

import yaml

from seatrial.contract.model import ColumnContract, Contract, Role, Severity, TableContract, TypeName
from seatrial.contract.sanity import contract_problems
from seatrial.errors import ContractInvalid

if TYPE_CHECKING:
    from open_data_contract_standard.model import (
        CustomProperty,
        DataQuality,
        OpenDataContractStandard,
        SchemaObject,
        SchemaProperty,
    )

API_VERSION = "v3.1.0"
_READABLE = ("v3.1.", "v3.2.")
_LOGICAL: dict[TypeName, str] = {
    "string": "string",
    "float": "number",
    "int": "integer",
    "bool": "boolean",
    "timestamp": "timestamp",
}
_TYPES: dict[str, TypeName] = {logical: name for name, logical in _LOGICAL.items()} | {"date": "timestamp"}
_OPTIONS = frozenset({"minimum", "maximum", "pattern", "maxLength", "format", "timezone", "defaultTimezone"})
_NOT_ENFORCED = ("properties", "items", "map", "relationships", "deprecated")


class _Dumper(yaml.SafeDumper):
    """Escapes line breaks of other scripts, which YAML would read back as spaces."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    breaks = any(mark in text for mark in "\x85\u2028\u2029")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if breaks else None)


_Dumper.add_representer(str, _text)


def read_contract(text: str, *, name: str = "contract.yaml") -> Contract:
    """The contract in an ODCS text. Raises ContractInvalid with every problem found."""
    data = _parse(text, name)
    document = _validate(data, name)
    reader = _Reader()
    contract = reader.contract(document)
    problems = [*_unknown_fields(data, document), *reader.problems]
    problems += contract_problems(contract) if not problems else []
    if problems:
        raise ContractInvalid(problems, name=name)
    return contract


def write_contract(contract: Contract) -> str:
    """The contract as ODCS v3.1 in YAML; `read_contract` gives an equal contract back."""
    document = _document(contract)
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise ContractInvalid([f"{line}not YAML: {getattr(error, 'problem', error)}"], name=name) from error
    if not isinstance(data, dict):
        raise ContractInvalid(["expected a mapping that begins with `apiVersion:`"], name=name)
    return data


def _validate(data: dict[str, Any], name: str) -> "OpenDataContractStandard":
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    try:
        return OpenDataContractStandard.model_validate(data)
    except ValidationError as error:
        raise ContractInvalid([_sentence(fault) for fault in error.errors()], name=name) from error


def _sentence(fault: Any) -> str:
    where = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{where}: not a field of the Open Data Contract Standard"
    return f"{where}: {fault['msg']} (got {fault['input']!r:.80})"


def _unknown_fields(data: dict[str, Any], document: "OpenDataContractStandard") -> Iterator[str]:
    """Keys that the standard's models dropped: the deeper ones are not refused by the models themselves."""
    kept = document.model_dump(by_alias=True, exclude_unset=True)
    for path in _dropped(data, kept):
        yield f"{path}: not a field of the Open Data Contract Standard"


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


class _Reader:
    """Turns the standard's models into our own words and collects what it cannot act on."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def contract(self, document: "OpenDataContractStandard") -> Contract:
        if document.kind not in ("DataContract", None):
            self.problems.append(f"kind: expected DataContract, got {document.kind}")
        if not str(document.apiVersion).startswith(_READABLE):
            self.problems.append(f"apiVersion: expected {API_VERSION}, got {document.apiVersion}")
        self._text("id", document.id)
        self._text("version", document.version)
        if not document.schema_:
            self.problems.append("schema: at least one table is needed")
        return Contract(
            id=document.id or "",
            version=document.version or "",
            tables=tuple(self._table(table) for table in document.schema_ or ()),
            description=(document.description.purpose if document.description else None) or "",
        )

    def _text(self, path: str, value: str | None) -> None:
        if not value:
            self.problems.append(f"{path}: missing")

    def _table(self, schema: "SchemaObject") -> TableContract:
        path = schema.name or "schema"
        self._text("schema.name", schema.name)
        if schema.relationships:
            self.problems.append(f"{path}.relationships: not enforced by this version")
        extras = _extras(schema.customProperties)
        properties = schema.properties or []
        unique, minimum_rows = self._table_rules(path, schema.quality or ())
        primary = sorted((p for p in properties if p.primaryKey), key=lambda p: p.primaryKeyPosition or 0)
        keys = tuple(p.name or "" for p in primary)
        return TableContract(
            name=schema.name or "",
            columns=tuple(self._column(path, column, alone=keys == (column.name,)) for column in properties),
            unique=(*((keys,) if len(keys) > 1 else ()), *unique),
            minimum_rows=minimum_rows,
            stop_above=self._number(f"{path}.stopAbove", extras.get("stopAbove"), 0.1),
            description=schema.description or "",
        )

    def _table_rules(
        self, path: str, rules: "list[DataQuality] | tuple[()]"
    ) -> tuple[tuple[tuple[str, ...], ...], int]:
        unique, minimum_rows = [], 1
        for rule in rules:
            columns = (rule.arguments or {}).get("properties")
            if _metric(rule) == "rowCount" and isinstance(rule.mustBeGreaterOrEqualTo, int):
                minimum_rows = rule.mustBeGreaterOrEqualTo
            elif _metric(rule) == "rowCount" and isinstance(rule.mustBeGreaterThan, int):
                minimum_rows = rule.mustBeGreaterThan + 1
            elif _metric(rule) == "duplicateValues" and rule.mustBe == 0 and isinstance(columns, list):
                unique.append(tuple(map(str, columns)))
            elif rule.type != "text":
                self._not_enforced(f"{path}.quality", rule)
        return tuple(unique), minimum_rows

    def _not_enforced(self, path: str, rule: "DataQuality") -> None:
        said = rule.model_dump(exclude_none=True, exclude={"description", "dimension", "businessImpact"})
        self.problems.append(
            f"{path}: not enforced by this version: {said}; it enforces rowCount, duplicateValues, invalidValues "
            "(validValues or pattern), nullValues and missingValues, each with mustBe: 0 (rowCount: a minimum)"
        )

    def _column(self, table: str, column: "SchemaProperty", *, alone: bool) -> ColumnContract:
        path = f"{table}.{column.name}"
        self._text(f"{table}: name of a property", column.name)
        for name in _NOT_ENFORCED:
            if getattr(column, name):
                self.problems.append(f"{path}.{name}: not enforced by this version")
        extras = _extras(column.customProperties)
        options = self._options(path, column.logicalTypeOptions or {})
        rules = self._column_rules(path, column)
        values = tuple(str(one.value) for one in column.enum) if column.enum else rules.get("values")
        return ColumnContract(
            name=column.name or "",
            type=self._type(path, column.logicalType),
            role=self._one_of(f"{path}.mlRole", extras.get("mlRole"), get_args(Role), "other"),
            required=bool(column.required or column.primaryKey or rules.get("required")),
            unique=bool(column.unique or alone or rules.get("unique")),
            minimum=options.get("minimum"),
            maximum=options.get("maximum"),
            pattern=options.get("pattern") or rules.get("pattern"),
            values=values,
            max_length=options.get("maxLength"),
            severity=self._severity(path, extras.get("severity") or rules.get("severity")),
            classification=column.classification,
            description=column.description or "",
            evidence=str(extras.get("evidence") or ""),
        )

    def _type(self, path: str, logical: str | None) -> TypeName:
        if logical not in _TYPES:
            self.problems.append(f"{path}.logicalType: expected one of {', '.join(_TYPES)}, got {logical}")
            return "string"
        return _TYPES[logical]

    def _options(self, path: str, options: Mapping[str, Any]) -> dict[str, Any]:
        for name in sorted(options.keys() - _OPTIONS):
            self.problems.append(f"{path}.logicalTypeOptions.{name}: not enforced by this version")
        read = dict(options)
        for name in ("minimum", "maximum"):
            if name in read:
                read[name] = self._number(f"{path}.{name}", read[name], 0.0)
        if "maxLength" in read and not _is_count(read["maxLength"]):
            self.problems.append(f"{path}.maxLength: expected a whole number, got {read.pop('maxLength')!r}")
        if "pattern" in read and not isinstance(read["pattern"], str):
            self.problems.append(f"{path}.pattern: expected a text, got {read.pop('pattern')!r}")
        return read

    def _column_rules(self, path: str, column: "SchemaProperty") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for rule in column.quality or ():
            arguments = rule.arguments or {}
            enforced = rule.mustBe == 0 and rule.unit != "percent"
            if enforced and _metric(rule) in ("nullValues", "missingValues") and not arguments:
                found["required"] = True
            elif enforced and _metric(rule) == "duplicateValues" and not arguments:
                found["unique"] = True
            elif (
                enforced
                and _metric(rule) == "invalidValues"
                and arguments.keys() in ({"validValues"}, {"pattern"})
            ):
                found |= _invalid_values(arguments)
                found["severity"] = rule.severity
            elif rule.type != "text":
                self._not_enforced(f"{path}.quality", rule)
        return found

    def _severity(self, path: str, value: object) -> Severity:
        severity: Severity = self._one_of(f"{path}.severity", value, get_args(Severity), "error")
        return severity

    def _one_of(self, path: str, value: object, allowed: tuple[str, ...], otherwise: str) -> Any:
        if value is None:
            return otherwise
        if value not in allowed:
            self.problems.append(f"{path}: expected one of {', '.join(allowed)}, got {value!r}")
            return otherwise
        return value

    def _number(self, path: str, value: object, otherwise: float) -> float:
        if value is None:
            return otherwise
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.problems.append(f"{path}: expected a number, got {value!r}")
            return otherwise
        return float(value)


def _metric(rule: "DataQuality") -> str | None:
    return (rule.metric or rule.rule) if rule.type in (None, "library") else None


def _invalid_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    if "pattern" in arguments:
        return {"pattern": str(arguments["pattern"])}
    return {"values": tuple(map(str, arguments["validValues"]))}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _extras(properties: "list[CustomProperty] | None") -> dict[str, Any]:
    return {one.property: one.value for one in properties or () if one.property}


def _document(contract: Contract) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": contract.id,
        "version": contract.version,
        "status": "active",
        **({"description": {"purpose": contract.description}} if contract.description else {}),
        "schema": [_schema_object(table) for table in contract.tables],
    }


def _schema_object(table: TableContract) -> dict[str, Any]:
    rows = {
        "type": "library",
        "metric": "rowCount",
        "mustBeGreaterOrEqualTo": table.minimum_rows,
        "severity": "error",
    }
    unique = [
        {
            "type": "library",
            "metric": "duplicateValues",
            "arguments": {"properties": list(group)},
            "mustBe": 0,
            "severity": "error",
        }
        for group in table.unique
    ]
    return {
        "name": table.name,
        "logicalType": "object",
        **({"description": table.description} if table.description else {}),
        "properties": [_schema_property(column) for column in table.columns],
        "quality": [rows, *unique],
        "customProperties": [{"property": "stopAbove", "value": table.stop_above}],
    }


def _schema_property(column: ColumnContract) -> dict[str, Any]:
    options = {
        "minimum": column.minimum,
        "maximum": column.maximum,
        "pattern": column.pattern,
        "maxLength": column.max_length,
    }
    extras = {
        "mlRole": column.role,
        "severity": column.severity if column.severity != "error" else None,
        "evidence": column.evidence or None,
    }
    written = {
        "name": column.name,
        "description": column.description or None,
        "logicalType": _LOGICAL[column.type],
        "logicalTypeOptions": {name: option for name, option in options.items() if option is not None}
        or None,
        "required": column.required or None,
        "unique": column.unique or None,
        "classification": column.classification,
        "quality": [_closed_set(column)] if column.values is not None else None,
        "customProperties": [
            {"property": name, "value": value} for name, value in extras.items() if value is not None
        ],
    }
    return {name: value for name, value in written.items() if value is not None}


def _closed_set(column: ColumnContract) -> dict[str, Any]:
    return {
        "type": "library",
        "metric": "invalidValues",
        "arguments": {"validValues": list(column.values or ())},
        "mustBe": 0,
        "severity": column.severity,
    }

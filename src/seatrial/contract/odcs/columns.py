"""One column: the fields of an ODCS property that Seatrial acts on, read and changed in place."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract, Role, Severity, Stage, TypeName
from seatrial.contract.odcs.extras import Fragment, extras, plain, put, set_extra
from seatrial.contract.odcs.findings import Fact, Findings

LOGICAL: dict[TypeName, str] = {
    "string": "string",
    "float": "number",
    "int": "integer",
    "bool": "boolean",
    "timestamp": "timestamp",
    "date": "date",
    "time": "time",
    "array": "array",
    "object": "object",
}
_TYPES: dict[str, TypeName] = {logical: name for name, logical in LOGICAL.items()} | {
    "map": "object",
    "vector": "array",
}
# What a database calls its types, up to the first bracket, where the file does not say the logical one.
_PHYSICAL: dict[str, TypeName] = {
    **dict.fromkeys(("varchar", "char", "text", "string", "nvarchar", "uuid", "character varying"), "string"),
    **dict.fromkeys(("int", "integer", "bigint", "smallint", "tinyint", "long", "int64", "int32"), "int"),
    **dict.fromkeys(("float", "double", "real", "decimal", "numeric", "number", "double precision"), "float"),
    **dict.fromkeys(("bool", "boolean"), "bool"),
    **dict.fromkeys(("timestamp", "timestamptz", "datetime", "timestamp_tz"), "timestamp"),
    "date": "date",
    "time": "time",
    **dict.fromkeys(("array", "list"), "array"),
    **dict.fromkeys(("json", "jsonb", "struct", "object", "record", "map", "variant"), "object"),
}
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_NUMERIC = {*BOUNDS, "multipleOf", "format"}
_TIMES = {*BOUNDS, "format"}
_OPTIONS: dict[TypeName, set[str]] = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "float": _NUMERIC,
    "int": _NUMERIC,
    "bool": set(),
    "date": _TIMES,
    "timestamp": _TIMES | {"timezone", "defaultTimezone"},
    "time": _TIMES | {"timezone", "defaultTimezone"},
    "array": {"minItems", "maxItems", "uniqueItems", "dimensions", "dataType", "elementType"},
    "object": {"minProperties", "maxProperties", "required"},
}
_HELD = ("i64", "f64")
_NESTED = ("properties", "items", "map")
_FIELDS = {"minimum": "minimum", "maximum": "maximum"} | {
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
}


def read_column(table: str, part: Fragment, facts: tuple[Fact, ...], findings: Findings) -> ColumnContract:
    """The column that a property and the facts of its quality rules state."""
    path, own = f"{table}.{part.get('name')}", extras(part)
    kind = column_type(path, part, findings)
    options = part.get("logicalTypeOptions") or {}
    said = {fact.kind: fact.value for fact in facts}
    for name in _NESTED:
        if part.get(name):
            findings.notes.append(f"{path}.{name}: what values hold inside is not checked")
    listed = _values(part, kind, said)
    rules = _option_rules(path, kind, options, said, findings)
    if listed is not None and all(_allowed(value, rules) for value in listed):
        # What every value of a closed set keeps anyway is no rule beside it.
        rules = {}
    severity = own.get("severity") or (said["values"][1] if "values" in said else None)
    return ColumnContract(
        name=str(part.get("name") or ""),
        type=kind,
        role=findings.one_of(f"{path}.mlRole", own.get("mlRole"), get_args(Role), "other"),
        stages=_stages(path, own.get("stages"), findings),
        required=bool(part.get("required") or part.get("primaryKey") or "required" in said),
        unique=bool(part.get("unique") or "unique" in said),
        values=listed,
        severity=findings.one_of(f"{path}.severity", severity, get_args(Severity), "error"),
        stop_above=_stops(path, own.get("stopAbove"), findings),
        drift_budget=findings.number(f"{path}.driftBudget", own.get("driftBudget"), None),
        classification=part.get("classification"),
        description=part.get("description") or "",
        evidence=str(own.get("evidence") or ""),
        **rules,
    )


def column_type(path: str, part: Fragment, findings: Findings) -> TypeName:
    """The type that a property states, by its logical type or else by its physical one."""
    logical, physical = part.get("logicalType"), str(part.get("physicalType") or "").lower()
    if logical is None and physical.partition("(")[0].strip() in _PHYSICAL:
        return _PHYSICAL[physical.partition("(")[0].strip()]
    if logical not in _TYPES:
        findings.problems.append(f"{path}.logicalType: expected one of {', '.join(_TYPES)}, got {logical}")
        return "string"
    return _TYPES[str(logical)]


def _values(part: Fragment, kind: TypeName, said: Mapping[str, Any]) -> tuple[str, ...] | None:
    if part.get("enum") and kind == "string":
        return tuple(str(one.get("value")) for one in part["enum"])
    return said["values"][0] if "values" in said else None


def _stages(path: str, said: object, findings: Findings) -> tuple[Stage, ...]:
    listed = said if isinstance(said, list) else [said] if said is not None else []
    found = [findings.one_of(f"{path}.stages", one, get_args(Stage), "") for one in listed]
    return tuple(one for one in found if one)


def _stops(path: str, said: object, findings: Findings) -> tuple[tuple[str, float], ...]:
    if said is None:
        return ()
    if not isinstance(said, Mapping):
        findings.problems.append(f"{path}.stopAbove: expected a mapping of rules to shares, got {said!r}")
        return ()
    numbers = {rule: findings.number(f"{path}.stopAbove.{rule}", share, None) for rule, share in said.items()}
    return tuple((str(rule), share) for rule, share in numbers.items() if share is not None)


def _option_rules(
    path: str, kind: TypeName, options: Mapping[str, Any], said: Mapping[str, Any], findings: Findings
) -> dict[str, Any]:
    for name in sorted(options.keys() - _OPTIONS[kind]):
        findings.problems.append(f"{path}.logicalTypeOptions.{name}: not an option of the type {kind}")
    findings.notes += [f"{path}: {words}" for words in _unchecked(kind, options)]
    if kind == "string":
        return _text_rules(path, options, said, findings)
    return _number_rules(path, options, findings) if kind in ("float", "int") else {}


def _allowed(value: str, rules: Mapping[str, Any]) -> bool:
    form, longest = FORMATS.get(str(rules.get("format"))), rules.get("max_length")
    patterns = [one for one in (rules.get("pattern"), form) if one is not None]
    try:
        fits = all(re.fullmatch(pattern, value) for pattern in patterns)
    except re.error:
        return False
    return (
        fits and len(value) >= (rules.get("min_length") or 0) and (longest is None or len(value) <= longest)
    )


def _unchecked(kind: TypeName, options: Mapping[str, Any]) -> Iterator[str]:
    """Options that are kept and not checked, in words."""
    if kind == "string" and options.get("format") not in (None, *FORMATS):
        yield f"the format {options['format']} is not checked; {', '.join(FORMATS)} are"
    elif kind in ("float", "int") and options.get("format") not in (None, *_HELD):
        yield f"the format {options['format']} is not checked; numbers have 64 bits here"
    elif kind not in ("string", "float", "int"):
        yield from (f"the option {name} of a {kind} is not checked" for name in options if name != "timezone")


def _text_rules(
    path: str, options: Mapping[str, Any], said: Mapping[str, Any], findings: Findings
) -> dict[str, Any]:
    rules: dict[str, Any] = {"pattern": options.get("pattern") or said.get("pattern")}
    for name, field in (("minLength", "min_length"), ("maxLength", "max_length")):
        count = options.get(name)
        if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
            findings.problems.append(f"{path}.{name}: expected a whole number, got {count!r}")
        else:
            rules[field] = count
    if rules["pattern"] is not None and not isinstance(rules["pattern"], str):
        findings.problems.append(f"{path}.pattern: expected a text, got {rules.pop('pattern')!r}")
    form = options.get("format")
    return rules | {"format": form if form in FORMATS else None}


def _number_rules(path: str, options: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        value = options.get(name)
        if not isinstance(value, bool):
            read[field] = findings.number(f"{path}.{name}", value, None)
    for name, field in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        # Until 3.0 it was a yes or no about the bound beside it.
        if options.get(name) is True:
            read[f"exclusive_{field}"] = read.pop(field, None)
    return read | {"multiple_of": findings.number(f"{path}.multipleOf", options.get("multipleOf"), None)}


def change_column(
    part: Fragment, base: ColumnContract | None, column: ColumnContract, *, old_bounds: bool
) -> None:
    """Make a property say what the column says, where `base`, which it says now, differs; the rest stays.

    `old_bounds`: the document is of 3.0, in which exclusive bounds are a yes or no.
    """

    def changed(*fields: str) -> bool:
        return base is None or any(getattr(base, name) != getattr(column, name) for name in fields)

    if changed("name"):
        part["name"] = column.name
    if changed("description"):
        put(part, "description", column.description or None)
    if changed("type"):
        part["logicalType"] = LOGICAL[column.type]
    _change_options(part, column, changed, old_bounds=old_bounds)
    if changed("required"):
        put(part, "required", column.required or None)
    if changed("unique"):
        put(part, "unique", column.unique or None)
    if changed("classification"):
        put(part, "classification", column.classification)
    if "enum" in part and changed("values"):
        _change_enum(part, column.values)
    _change_extras(part, column, changed)


def _change_options(part: Fragment, column: ColumnContract, changed: Any, *, old_bounds: bool) -> None:
    options = dict(part.get("logicalTypeOptions") or {})
    if changed("type"):
        options = {name: value for name, value in options.items() if name in _OPTIONS[column.type]}
    if changed(*_FIELDS.values()):
        for name in BOUNDS:
            options.pop(name, None)
        options |= _old_bounds(column) if old_bounds else _bounds(column)
    for name, field in (
        ("multipleOf", "multiple_of"),
        ("minLength", "min_length"),
        ("maxLength", "max_length"),
    ):
        if changed(field):
            value = getattr(column, field)
            put(options, name, None if value is None else plain(value))
    for name in ("pattern", "format"):
        if changed(name):
            put(options, name, getattr(column, name))
    if options != (part.get("logicalTypeOptions") or {}):
        put(part, "logicalTypeOptions", options or None)


def _bounds(column: ColumnContract) -> dict[str, Any]:
    said = {name: getattr(column, field) for name, field in _FIELDS.items()}
    return {name: plain(bound) for name, bound in said.items() if bound is not None}


def _old_bounds(column: ColumnContract) -> dict[str, Any]:
    """One bound to each side, the tighter one, and whether it is excluded."""
    low = max(
        [
            (bound, out)
            for bound, out in ((column.minimum, False), (column.exclusive_minimum, True))
            if bound is not None
        ],
        default=None,
    )
    high = min(
        [
            (bound, not out)
            for bound, out in ((column.maximum, False), (column.exclusive_maximum, True))
            if bound is not None
        ],
        default=None,
    )
    found: dict[str, Any] = {}
    if low is not None:
        found |= {"minimum": plain(low[0])} | ({"exclusiveMinimum": True} if low[1] else {})
    if high is not None:
        found |= {"maximum": plain(high[0])} | ({} if high[1] else {"exclusiveMaximum": True})
    return found


def _change_enum(part: Fragment, values: tuple[str, ...] | None) -> None:
    known = {str(one.get("value")): one for one in part["enum"]}
    put(part, "enum", [known.get(value, {"value": value}) for value in values] if values else None)


def _change_extras(part: Fragment, column: ColumnContract, changed: Any) -> None:
    said = {
        "mlRole": ("role", column.role),
        "stages": ("stages", list(column.stages) or None),
        "severity": ("severity", column.severity if column.severity != "error" else None),
        "stopAbove": ("stop_above", {rule: plain(share) for rule, share in column.stop_above} or None),
        "driftBudget": ("drift_budget", None if column.drift_budget is None else plain(column.drift_budget)),
        "evidence": ("evidence", column.evidence or None),
    }
    for name, (field, value) in said.items():
        if changed(field):
            set_extra(part, name, value)

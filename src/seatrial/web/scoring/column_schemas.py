"""Columns of a contract as JSON Schema: what a request may hold, as exactly as the schema's language can say it."""

import math
from collections.abc import Sequence
from typing import Any

from seatrial.contract.casting import TIME_OF_DAY
from seatrial.contract.formats import FORMATS
from seatrial.contract.masking import is_sensitive
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.sanity import whole_bounds
from seatrial.contract.wording import range_words

Schema = dict[str, Any]

_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_DAY = f"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_ZONE = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_TYPES: dict[str, Schema] = {
    "string": {"type": "string"},
    "float": {"type": "number"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "timestamp": {"type": "string", "format": "date-time", "pattern": f"^{_DAY}T{_CLOCK}{_ZONE}$"},
    "date": {"type": "string", "format": "date", "pattern": f"^{_DAY}$"},
    "time": {"type": "string", "pattern": f"^({TIME_OF_DAY})$"},
    "array": {"type": "array"},
    "object": {"type": "object"},
}


def row_schema(table: TableContract, names: Sequence[str]) -> Schema:
    """A request row of these columns: nothing else may be in it."""
    columns = [column for column in table.columns if column.name in names]
    schema: Schema = {
        "type": "object",
        "properties": {column.name: column_schema(column) for column in columns},
        "required": [column.name for column in columns if column.required],
        "additionalProperties": False,
    }
    rules = [f"`{rule.expression}`" for rule in table.row_rules if rule.severity == "error"]
    if rules:
        schema["description"] = f"Each row must also hold to: {'; '.join(rules)}."
    return schema


def column_schema(column: ColumnContract) -> Schema:
    """One column: type, rules, whether it may be null, and what it is."""
    schema = dict(_TYPES[column.type])
    if column.severity == "error":
        schema |= _RULES.get(column.type, _no_rules)(column)
    elif column.type == "int":
        schema |= _int_rules(ColumnContract(name=column.name, type="int"))
    if not column.required:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    words = _words(column)
    return {**schema, "description": words} if words else schema


def _words(column: ColumnContract) -> str:
    """The description, the form that is asked for, and rules that are only warned of."""
    parts = [column.description]
    if column.format is not None:
        parts.append(f"Text in the form of {column.format}.")
    if column.severity == "warning" and (rules := range_words(column)):
        parts.append(f"Usually {', '.join(rules.values())}.")
    if is_sensitive(column):
        parts.append(f"Classified {column.classification}: faults do not show its value.")
    return " ".join(part for part in parts if part)


def _text_rules(column: ColumnContract) -> Schema:
    if column.values is not None:
        return {"enum": list(column.values)}
    named = None if column.format is None else FORMATS[column.format]
    patterns = [f"^(?:{one})$" for one in (column.pattern, named) if one is not None]
    rules = {"minLength": column.min_length, "maxLength": column.max_length}
    schema: Schema = {name: rule for name, rule in rules.items() if rule is not None}
    if len(patterns) == 1:
        schema["pattern"] = patterns[0]
    if len(patterns) > 1:
        schema["allOf"] = [{"pattern": one} for one in patterns]
    return schema


def _float_rules(column: ColumnContract) -> Schema:
    rules = {
        "minimum": column.minimum,
        "exclusiveMinimum": column.exclusive_minimum,
        "maximum": column.maximum,
        "exclusiveMaximum": column.exclusive_maximum,
        "multipleOf": column.multiple_of,
    }
    return {name: _plain(rule) for name, rule in rules.items() if rule is not None}


def _int_rules(column: ColumnContract) -> Schema:
    low, high = whole_bounds(column)
    step = {} if column.multiple_of is None else {"multipleOf": _plain(column.multiple_of)}
    return {"minimum": low, "maximum": high, **step}


def _no_rules(_: ColumnContract) -> Schema:
    return {}


def _plain(number: float) -> float | int:
    """A bound as people write it: 70, not 70.0."""
    return int(number) if math.isfinite(number) and float(number).is_integer() else number


_RULES = {"string": _text_rules, "float": _float_rules, "int": _int_rules}

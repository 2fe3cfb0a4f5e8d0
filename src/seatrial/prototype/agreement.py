"""The first contract: inferred from every source's table, then overruled by what people stated."""

from collections.abc import Mapping
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.infer import infer_table
from seatrial.contract.model import ColumnContract, Contract, Role, TableContract
from seatrial.errors import ProductFileInvalid
from seatrial.prototype.draft import ANSWERS_FILE, Draft

FIRST_VERSION = "1.0.0"
_RULE_ANSWERS = ("primary_key", "foreign_keys", "row_rules", "set_rules", "freshness")
_TABLE_ANSWERS = ("columns", "unique", "stop_above", "rows", "description", *_RULE_ANSWERS)
_COLUMN_ANSWERS = tuple(name for name in ColumnContract.__struct_fields__ if name not in ("name", "evidence"))
_BOUNDS = ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of")
_TEXTS = ("pattern", "format", "min_length", "max_length")
_RANGES = (*_BOUNDS, *_TEXTS, "values")
# A closed set says all there is to say of a text, so one replaces the other.
_EXCLUDED = {
    "values": _TEXTS,
    **dict.fromkeys(_TEXTS, ("values",)),
    "minimum": ("exclusive_minimum",),
    "maximum": ("exclusive_maximum",),
    "exclusive_minimum": ("minimum",),
    "exclusive_maximum": ("maximum",),
}


def first_contract(
    name: str, draft: Draft, frames: Mapping[str, pl.DataFrame], stated: Mapping[str, Any]
) -> Contract:
    """The contract over all sources of the draft. Raises ProductFileInvalid for statements that cannot be used."""
    problems = [
        f"contract.{source}: no source is called {source}" for source in stated if source not in frames
    ]
    tables = []
    for source, frame in frames.items():
        answers = stated.get(source) or {}
        if wrong := _table_problems(source, answers, frame):
            problems += wrong
        else:
            tables.append(_overrule(source, _infer(source, frame, draft, answers), answers, problems))
    if problems:
        raise ProductFileInvalid(problems, name=ANSWERS_FILE)
    purpose = " ".join(str(draft.sections.get("purpose", "")).split())
    return Contract(id=name, version=FIRST_VERSION, tables=tuple(tables), description=purpose)


def _infer(source: str, frame: pl.DataFrame, draft: Draft, answers: Mapping[str, Any]) -> TableContract:
    lookups = [
        one for name, one in draft.examples.get("lookups", {}).items() if one.get("source", name) == source
    ]
    looked_up = _lookup_roles(lookups, draft)
    keys = [(*one["on"], *([one["as_of"]] if one.get("as_of") else [])) for one in lookups]
    if source == draft.examples.get("from"):
        roles = _example_roles(frame, draft) | {
            name: role for name, role in looked_up.items() if role == "feature"
        }
        required = {*draft.features, *draft.mentions(lookups=False)} if draft.features else None
        keys += [(draft.examples["key"],)] if "key" in draft.examples else []
    else:
        # Columns that nobody reads are nobody's agreement; a table that nobody reads is taken whole.
        roles = looked_up or dict.fromkeys(frame.columns, "other")
        roles |= {name: roles.get(name, "other") for name in answers.get("columns", {})}
        required = {name for key in keys for name in key}
    return infer_table(source, frame, roles=roles, unique=keys, required=required)


def _lookup_roles(lookups: list[Any], draft: Draft) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    for one in lookups:
        roles |= {
            name: "feature" if _may_be_feature(name, draft) else "other" for name in one.get("columns", ())
        }
    for one in lookups:
        roles |= {one["as_of"]: "other"} if one.get("as_of") else {}
        roles |= dict.fromkeys(one["on"], "lookup_key")
    return roles


def _may_be_feature(name: str, draft: Draft) -> bool:
    return name in draft.features or not draft.features


def _example_roles(frame: pl.DataFrame, draft: Draft) -> dict[str, Role]:
    examples = draft.examples
    keys = {name for one in examples.get("lookups", {}).values() for name in one["on"]}
    return {name: _example_role(name, draft, keys) for name in frame.columns}


def _example_role(name: str, draft: Draft, lookup_keys: set[str]) -> Role:
    examples = draft.examples
    if name == examples.get("key"):
        return "key"
    if name == examples.get("made_at"):
        return "made_at"
    if name == examples.get("known_at"):
        return "known_at"
    if name in draft.later:
        return "outcome"
    if name in draft.features or (not draft.features and name not in lookup_keys):
        return "feature"
    return "lookup_key" if name in lookup_keys else "other"


def _table_problems(source: str, answers: Any, frame: pl.DataFrame) -> list[str]:
    if not isinstance(answers, Mapping) or not isinstance(answers.get("columns", {}), Mapping):
        return [f"contract.{source}: expected a mapping with {', '.join(_TABLE_ANSWERS)}"]
    found = [
        f"contract.{source}.{key}: unknown; there are {', '.join(_TABLE_ANSWERS)}"
        for key in answers
        if key not in _TABLE_ANSWERS
    ]
    for name, rules in answers.get("columns", {}).items():
        where = f"contract.{source}.columns.{name}"
        if name not in frame.columns:
            found.append(f"{where}: no such column; the source has {', '.join(frame.columns)}")
        if not isinstance(rules, Mapping):
            found.append(f"{where}: expected a mapping of rules, got {rules!r}")
            continue
        unknown = [rule for rule in rules if rule not in _COLUMN_ANSWERS]
        found += [f"{where}.{rule}: unknown; there are {', '.join(_COLUMN_ANSWERS)}" for rule in unknown]
    return found


def _overrule(
    source: str, table: TableContract, answers: Mapping[str, Any], problems: list[str]
) -> TableContract:
    rules = answers.get("columns", {})
    columns = [_overruled(source, column, rules.get(column.name, {}), problems) for column in table.columns]
    groups = [tuple(group) for group in answers.get("unique", ())]
    stated = {
        "minimum_rows": answers.get("rows"),
        "stop_above": answers.get("stop_above"),
        "description": answers.get("description"),
        **{name: answers.get(name) for name in _RULE_ANSWERS},
    }
    changed = {
        **msgspec.structs.asdict(table),
        **{name: value for name, value in stated.items() if value is not None},
        "columns": tuple(columns),
        "unique": tuple(dict.fromkeys([*table.unique, *groups])),
    }
    try:
        return msgspec.convert(changed, TableContract, from_attributes=True)
    except msgspec.ValidationError as error:
        problems.append(f"contract.{source}: {error}")
        return table


def _overruled(
    source: str, column: ColumnContract, rules: Mapping[str, Any], problems: list[str]
) -> ColumnContract:
    if not rules:
        return column
    replaced = {one for rule in rules for one in _EXCLUDED.get(rule, ())}
    kept = {name: value for name, value in msgspec.structs.asdict(column).items() if name not in replaced}
    # What people state is meant; what a sample shows of categories is a hint.
    # A budget from a sample is one too: as an error it would stop whole loads.
    severity = {"severity": "error", "drift_budget": None} if set(rules) & set(_RANGES) else {}
    told = ", ".join(f"{rule} {value}" for rule, value in rules.items())
    evidence = f"stated: {told}" + (f"; inferred: {column.evidence}" if column.evidence else "")
    # People write shares by rule as a mapping.
    stops = rules.get("stop_above")
    listed = {"stop_above": list(stops.items())} if isinstance(stops, Mapping) else {}
    try:
        return msgspec.convert({**kept, **severity, **rules, **listed, "evidence": evidence}, ColumnContract)
    except msgspec.ValidationError as error:
        problems.append(f"contract.{source}.columns.{column.name}: {error}")
        return column

"""A contract from the data of an ODCS document, with the place of everything it was read from."""

from dataclasses import dataclass
from typing import Any

from seatrial.contract.expressions import query_problem
from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs.columns import column_type, read_column
from seatrial.contract.odcs.extras import Fragment, extras
from seatrial.contract.odcs.findings import Fact, Findings, Slot
from seatrial.contract.odcs.quality import QualityReader
from seatrial.contract.odcs.relationships import Names, foreign_key
from seatrial.contract.odcs.service_levels import service_level

_STOP_ABOVE = 0.1


@dataclass(frozen=True)
class Reading:
    """`contract` is what the document says in our words (its `more` is left empty); `slots` where it says so."""

    contract: Contract
    slots: tuple[Slot, ...]
    problems: tuple[str, ...]


def interpret(data: dict[str, Any]) -> Reading:
    """The contract in a document. What cannot be acted on is noted in `not_enforced`, mistakes in `problems`."""
    findings = Findings()
    schema = data.get("schema") or []
    for index, part in enumerate(schema):
        _read_quality(index, part, findings)
        _read_relationships(index, part, Names(schema), findings)
    _read_levels(data, schema, findings)
    _drop_unanswerable(schema, findings)
    tables = tuple(_table(index, part, findings) for index, part in enumerate(schema))
    contract = Contract(
        id=data.get("id") or "",
        version=data.get("version") or "",
        status=data.get("status") or "active",
        tables=tables,
        description=(data.get("description") or {}).get("purpose") or "",
        not_enforced=tuple(findings.notes),
    )
    return Reading(contract, tuple(findings.slots), tuple(findings.problems))


def _read_quality(index: int, part: Fragment, findings: Findings) -> None:
    name = str(part.get("name"))
    reader, counted = QualityReader(name, findings), False
    for rule in part.get("quality") or ():
        fact = reader.fact(rule, None, counted=counted)
        counted = counted or (fact is not None and fact.kind == "minimum_rows")
        findings.slots.append(Slot(rule, index, None, "quality", _some(fact)))
    for place, column in enumerate(part.get("properties") or ()):
        textual = column_type("", column, Findings()) == "string"
        for rule in column.get("quality") or ():
            fact = reader.fact(rule, str(column.get("name")), textual=textual, counted=True)
            findings.slots.append(Slot(rule, index, place, "quality", _some(fact)))
        if column.get("enum") and not textual:
            findings.notes.append(
                f"{name}.{column.get('name')}.enum: closed lists are checked of strings only"
            )


def _read_relationships(index: int, part: Fragment, names: Names, findings: Findings) -> None:
    table = str(part.get("name"))
    owners = [(None, part), *enumerate(part.get("properties") or ())]
    for place, owner in owners:
        column = None if place is None else str(owner.get("name"))
        for relationship in owner.get("relationships") or ():
            fact = foreign_key(relationship, table, column, names, findings)
            findings.slots.append(Slot(relationship, index, place, "relationships", _some(fact)))


def _read_levels(data: dict[str, Any], schema: list[Fragment], findings: Findings) -> None:
    names, places = Names(schema), {str(part.get("name")): index for index, part in enumerate(schema)}
    for level in data.get("slaProperties") or ():
        found = service_level(level, data.get("slaDefaultElement"), names, findings)
        table, facts = found or ("", ())
        facts = _usable(table, facts, schema, places, findings)
        findings.slots.append(Slot(level, places.get(table, -1), None, "slaProperties", facts))


def _usable(
    table: str, facts: tuple[Fact, ...], schema: list[Fragment], places: dict[str, int], findings: Findings
) -> tuple[Fact, ...]:
    """Without the age of columns that hold no time."""
    for fact in facts:
        if fact.kind == "freshness":
            columns = schema[places[table]].get("properties") or ()
            part = next(one for one in columns if one.get("name") == fact.value.column)
            kind = column_type("", part, Findings())
            if kind not in ("timestamp", "date"):
                findings.notes.append(
                    f"slaProperties: {table}.{fact.value.column} is a {kind}, which has no age"
                )
                return ()
    return facts


def _drop_unanswerable(schema: list[Fragment], findings: Findings) -> None:
    """Queries in the dialect of another database are kept as they are, and not run."""
    types: dict[str, dict[str, str]] | None = None
    for slot in findings.slots:
        for fact in slot.facts:
            if fact.kind != "set_rule" or fact.value.metric != "sql":
                continue
            types = types or {
                str(part.get("name")): {
                    str(one.get("name")): column_type("", one, Findings())
                    for one in part.get("properties") or ()
                }
                for part in schema
            }
            if problem := query_problem(fact.value.query, types):
                findings.notes.append(
                    f"{schema[slot.table].get('name')}.quality {fact.value.name}: {problem}"
                )
                slot.facts = ()


def _some(fact: Fact | None) -> tuple[Fact, ...]:
    return () if fact is None else (fact,)


def _table(index: int, part: Fragment, findings: Findings) -> TableContract:
    path = str(part.get("name") or "schema")
    if not part.get("name"):
        findings.problems.append("schema.name: missing")
    mine = [slot for slot in findings.slots if slot.table == index]
    facts = [fact for slot in mine for fact in slot.facts]
    stop = findings.number(f"{path}.stopAbove", extras(part).get("stopAbove"), _STOP_ABOVE)
    return TableContract(
        name=str(part.get("name") or ""),
        columns=tuple(
            _column(path, place, column, mine, findings)
            for place, column in enumerate(part.get("properties") or ())
        ),
        primary_key=_primary_key(part),
        unique=tuple(dict.fromkeys(_values(facts, "unique_together"))),
        foreign_keys=tuple(_values(facts, "foreign_key")),
        row_rules=tuple(_values(facts, "row_rule")),
        set_rules=tuple(_values(facts, "set_rule")),
        freshness=tuple(_values(facts, "freshness")),
        minimum_rows=next(iter(_values(facts, "minimum_rows")), 1),
        stop_above=_STOP_ABOVE if stop is None else stop,
        description=part.get("description") or "",
    )


def _column(path: str, place: int, part: Fragment, slots: list[Slot], findings: Findings) -> ColumnContract:
    if not part.get("name"):
        findings.problems.append(f"{path}: name of a property: missing")
    facts = tuple(fact for slot in slots if slot.column == place for fact in slot.facts if fact.column)
    return read_column(path, part, facts, findings)


def _primary_key(part: Fragment) -> tuple[str, ...]:
    keys = [one for one in part.get("properties") or () if one.get("primaryKey")]
    return tuple(
        str(one.get("name")) for one in sorted(keys, key=lambda one: one.get("primaryKeyPosition") or 0)
    )


def _values(facts: list[Fact], kind: str) -> list[Any]:
    return [fact.value for fact in facts if fact.kind == kind]

"""Relationships of the standard as foreign keys, and back."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.contract.model import ForeignKey
from seatrial.contract.odcs.extras import Fragment, extras
from seatrial.contract.odcs.findings import Fact, Findings, severity_of

MODELLED = frozenset({"from", "to"})
_QUALIFIED = re.compile(r"^/?schema/([^/]+)/properties/([^/]+)$")


class Names:
    """The tables and columns of a document by their names and ids, to which references are resolved."""

    def __init__(self, schema: Sequence[Fragment]) -> None:
        self._tables: dict[str, tuple[str, dict[str, str]]] = {}
        for table in schema:
            columns = _by_name(table.get("properties") or ())
            for name in (table.get("id"), table.get("name")):
                if name:
                    self._tables[str(name)] = (str(table.get("name")), columns)

    def resolve(self, reference: str) -> tuple[str, str] | None:
        """Table and column of `table.column` or `/schema/table/properties/column`; None when there is no such."""
        if match := _QUALIFIED.match(reference):
            return self._found(match[1], match[2])
        dots = [index for index, mark in enumerate(reference) if mark == "."]
        found = (self._found(reference[:dot], reference[dot + 1 :]) for dot in dots)
        return next((one for one in found if one is not None), None)

    def table(self, name: str) -> str | None:
        """The table of that name or id."""
        return self._tables[name][0] if name in self._tables else None

    def _found(self, table: str, column: str) -> tuple[str, str] | None:
        name, columns = self._tables.get(table, ("", {}))
        return (name, columns[column]) if column in columns else None


def _by_name(properties: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        str(name): str(one.get("name"))
        for one in properties
        for name in (one.get("id"), one.get("name"))
        if name
    }


def foreign_key(
    relationship: Fragment, table: str, column: str | None, names: Names, findings: Findings
) -> Fact | None:
    """The foreign key that a relationship states, or None with a note or problem."""
    place = f"{table if column is None else f'{table}.{column}'}.relationships"
    if relationship.get("type", "foreignKey") != "foreignKey":
        findings.notes.append(f"{place}: relationships of type {relationship['type']} are not checked")
        return None
    targets = _listed(relationship.get("to"))
    origins = [f"{table}.{column}"] if column is not None else _listed(relationship.get("from"))
    outside = [one for one in (*targets, *origins) if "#" in one or one.count("/properties/") > 1]
    if outside:
        findings.notes.append(
            f"{place}: {', '.join(outside)} is not a column of this file, so it is not checked"
        )
        return None
    return _resolved(relationship, place, table, origins, targets, names=names, findings=findings)


def _resolved(
    relationship: Fragment,
    place: str,
    table: str,
    origins: Sequence[str],
    targets: Sequence[str],
    *,
    names: Names,
    findings: Findings,
) -> Fact | None:
    here = [names.resolve(one) for one in origins]
    there = [names.resolve(one) for one in targets]
    lost = [said for said, found in zip((*origins, *targets), (*here, *there), strict=True) if found is None]
    if lost or not origins or not targets:
        findings.problems.append(f"{place}: no such column: {', '.join(lost) or '(none given)'}")
        return None
    ours = [one for one in here if one is not None]
    theirs = [one for one in there if one is not None]
    if (
        {one[0] for one in ours} != {table}
        or len({one[0] for one in theirs}) != 1
        or len(ours) != len(theirs)
    ):
        findings.problems.append(
            f"{place}: expected as many columns of {table} in `from` as of one other table in `to`"
        )
        return None
    key = ForeignKey(
        columns=tuple(column for _, column in ours),
        table=theirs[0][0],
        to=tuple(column for _, column in theirs),
        severity=severity_of(extras(relationship).get("severity")),
    )
    return Fact("foreign_key", None, key)


def _listed(said: object) -> list[str]:
    if said is None:
        return []
    return list(map(str, said)) if isinstance(said, list) else [str(said)]


def written_relationship(key: ForeignKey, table: str) -> Fragment:
    """The foreign key as a relationship of its table."""
    origins = [f"{table}.{column}" for column in key.columns]
    targets = [f"{key.table}.{column}" for column in key.to]
    alone = len(origins) == 1
    warned = [{"property": "severity", "value": key.severity}] if key.severity != "error" else []
    return {
        "type": "foreignKey",
        "from": origins[0] if alone else origins,
        "to": targets[0] if alone else targets,
        **({"customProperties": warned} if warned else {}),
    }

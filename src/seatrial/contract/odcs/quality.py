"""Quality rules of the standard: which fact each states, and how a fact is written as one."""

import json
from collections.abc import Iterable
from typing import Any, get_args

from seatrial.contract.model import Operator, RowRule, SetRule
from seatrial.contract.odcs.extras import Fragment, plain
from seatrial.contract.odcs.findings import Fact, Findings, severity_of

ENGINE = "seatrial"
_OPERATORS: tuple[Operator, ...] = get_args(Operator)
_METRICS = ("rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues")
# Names of 3.0, where the field was called `rule`.
_OLD_METRICS = {"duplicateCount": "duplicateValues", "nullCount": "nullValues"}
# What a rule in our words says; the rest of a quality entry (dimension, schedule, tags ...) is kept beside it.
MODELLED = frozenset(
    {"name", "type", "metric", "rule", "arguments", "query", "engine", "implementation", "unit", "severity"}
    | {"description", *_OPERATORS}
)
_PLACES = ("table", "object", "schema", "column", "property", "field")


class QualityReader:
    """Reads the quality entries of one table; names that the rules lack are made, each once."""

    def __init__(self, table: str, findings: Findings) -> None:
        self._table = table
        self._findings = findings
        self._names: set[str] = set()

    def fact(
        self, rule: Fragment, column: str | None, *, textual: bool = False, counted: bool = False
    ) -> Fact | None:
        """What the entry states, or None with a note.

        `textual`: the column is a string; `counted`: a least number of rows is stated already.
        """
        kind = rule.get("type") or ("library" if rule.get("metric") or rule.get("rule") else "text")
        if kind == "text":
            return None
        if kind == "custom":
            return self._custom(rule, column)
        number = self._operands(rule, column)
        if number is None:
            return None
        if kind == "sql":
            return self._sql(rule, column, *number)
        return self._library(rule, column, *number, textual=textual, counted=counted)

    def _note(self, rule: Fragment, column: str | None, why: str) -> None:
        self._findings.notes.append(f"{self._path(column)}.quality {_called(rule)}: {why}")

    def _path(self, column: str | None) -> str:
        return self._table if column is None else f"{self._table}.{column}"

    def _custom(self, rule: Fragment, column: str | None) -> Fact | None:
        engine, implementation = str(rule.get("engine", "")), rule.get("implementation")
        if engine.lower() != ENGINE:
            self._note(rule, column, f"rules of the engine {engine or '(none)'} are not run here")
            return None
        if not isinstance(implementation, str) or not implementation.strip():
            self._findings.problems.append(
                f"{self._path(column)}.quality {_called(rule)}: expected an SQL expression as implementation"
            )
            return None
        name = self._name(rule, f"{column}.rule" if column else "rule")
        return Fact(
            "row_rule",
            None,
            RowRule(
                name=name,
                expression=implementation,
                severity=severity_of(rule.get("severity")),
                description=rule.get("description") or "",
            ),
        )

    def _operands(self, rule: Fragment, column: str | None) -> tuple[Operator, tuple[float, ...]] | None:
        said: list[Operator] = [name for name in _OPERATORS if name in rule]
        if len(said) != 1:
            self._findings.problems.append(
                f"{self._path(column)}.quality {_called(rule)}: expected one of {', '.join(_OPERATORS)}, "
                f"got {', '.join(said) or 'none'}"
            )
            return None
        value = rule[said[0]]
        numbers = value if isinstance(value, list) else [value]
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers):
            self._note(rule, column, f"compares with {value!r}, which is no number")
            return None
        return said[0], tuple(map(float, numbers))

    def _sql(
        self, rule: Fragment, column: str | None, operator: Operator, operands: tuple[float, ...]
    ) -> Fact | None:
        query = _filled(str(rule.get("query") or ""), self._table, column)
        return self._set_rule(rule, column, "sql", operator, operands, query=query)

    def _library(
        self,
        rule: Fragment,
        column: str | None,
        operator: Operator,
        operands: tuple[float, ...],
        *,
        textual: bool,
        counted: bool,
    ) -> Fact | None:
        said = str(rule.get("metric") or rule.get("rule"))
        metric = _OLD_METRICS.get(said, said)
        if metric not in _METRICS:
            self._note(rule, column, f"{said} is no metric of the standard")
            return None
        if severity_of(rule.get("severity")) == "error":
            found = _row_fact(rule, metric, column, operator, operands, textual=textual, counted=counted)
            if found is not None:
                return found
        elif (
            metric == "invalidValues" and textual and (found := _closed_set(rule, column, operator, operands))
        ):
            return found
        return self._set_rule(rule, column, metric, operator, operands)

    def _set_rule(
        self,
        rule: Fragment,
        column: str | None,
        metric: Any,
        operator: Operator,
        operands: tuple[float, ...],
        *,
        query: str = "",
    ) -> Fact | None:
        arguments = dict(rule.get("arguments") or {})
        about = () if column else arguments.pop("properties", ())
        listed = about if isinstance(about, list | tuple) else [about]
        columns = (column,) if column else tuple(map(str, listed))
        if metric not in ("rowCount", "sql") and not columns:
            self._note(rule, column, f"{metric} of a table needs arguments.properties")
            return None
        if rule.get("unit", "rows") not in ("rows", "percent"):
            self._note(rule, column, f"the unit {rule['unit']} is unknown here")
            return None
        if rule.get("unit") == "percent" and metric in ("rowCount", "sql"):
            self._note(rule, column, f"percent of the rows makes no sense of {metric}")
            return None
        made = ".".join(["+".join(columns), metric] if columns else [metric])
        return Fact(
            "set_rule",
            None,
            SetRule(
                name=self._name(rule, made),
                metric=metric,
                operator=operator,
                operands=operands,
                columns=columns if metric != "rowCount" else (),
                query=query,
                arguments=json.dumps(arguments, ensure_ascii=False, sort_keys=True) if arguments else "",
                unit=rule.get("unit", "rows"),
                severity=severity_of(rule.get("severity")),
                description=rule.get("description") or "",
            ),
        )

    def _name(self, rule: Fragment, made: str) -> str:
        wanted = str(rule.get("name") or rule.get("id") or made)
        name = next(one for one in _numbered(wanted) if one not in self._names)
        self._names.add(name)
        return name


def _numbered(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1


def _called(rule: Fragment) -> str:
    said = rule.get("name") or rule.get("id") or rule.get("metric") or rule.get("rule") or rule.get("type")
    return str(said or "rule")


def _filled(query: str, table: str, column: str | None) -> str:
    for place in _PLACES:
        name = table if place in _PLACES[:3] else column
        if name is not None:
            query = query.replace(f"${{{place}}}", _identifier(name)).replace(
                f"{{{place}}}", _identifier(name)
            )
    return query


def _identifier(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else '"' + name.replace('"', '""') + '"'


def _row_fact(
    rule: Fragment,
    metric: str,
    column: str | None,
    operator: Operator,
    operands: tuple[float, ...],
    *,
    textual: bool,
    counted: bool,
) -> Fact | None:
    """The fact when the entry is about single rows, keys or the least number of rows."""
    arguments = rule.get("arguments") or {}
    if metric == "rowCount" and not arguments and column is None and not counted:
        least = _least(operator, operands) if rule.get("unit", "rows") == "rows" else None
        return Fact("minimum_rows", None, least) if least is not None else None
    if (operator, operands) != ("mustBe", (0.0,)):
        return None
    if column is None:
        return _together(metric, arguments)
    kind = {"nullValues": "required", "missingValues": "required", "duplicateValues": "unique"}.get(metric)
    if kind is not None:
        return None if arguments else Fact(kind, column, True)
    if textual and metric == "invalidValues" and arguments.keys() == {"pattern"}:
        return Fact("pattern", column, str(arguments["pattern"]))
    return _closed_set(rule, column, operator, operands) if textual and metric == "invalidValues" else None


def _together(metric: str, arguments: dict[str, Any]) -> Fact | None:
    columns = arguments.get("properties")
    if metric == "duplicateValues" and arguments.keys() == {"properties"} and isinstance(columns, list):
        return Fact("unique_together", None, tuple(map(str, columns)))
    return None


def _closed_set(
    rule: Fragment, column: str | None, operator: Operator, operands: tuple[float, ...]
) -> Fact | None:
    arguments = rule.get("arguments") or {}
    values = arguments.get("validValues")
    if (operator, operands) != ("mustBe", (0.0,)) or arguments.keys() != {"validValues"}:
        return None
    if not isinstance(values, list):
        return None
    return Fact("values", column, (tuple(map(str, values)), severity_of(rule.get("severity"))))


def _least(operator: Operator, operands: tuple[float, ...]) -> int | None:
    if not operands[0].is_integer():
        return None
    if operator == "mustBeGreaterOrEqualTo":
        return int(operands[0])
    return int(operands[0]) + 1 if operator == "mustBeGreaterThan" else None


def written_rule(fact: Fact, *, at_column: bool) -> Fragment:
    """The fact as a quality entry, at its column or at the table."""
    if fact.kind == "minimum_rows":
        return _library_entry("rowCount", mustBeGreaterOrEqualTo=fact.value, severity="error")
    if fact.kind == "unique_together":
        return _library_entry(
            "duplicateValues", arguments={"properties": list(fact.value)}, mustBe=0, severity="error"
        )
    if fact.kind == "values":
        values, severity = fact.value
        return _library_entry(
            "invalidValues", arguments={"validValues": list(values)}, mustBe=0, severity=severity
        )
    if fact.kind == "pattern":
        return _library_entry("invalidValues", arguments={"pattern": fact.value}, mustBe=0, severity="error")
    return (
        _written_row_rule(fact.value) if fact.kind == "row_rule" else _written_set_rule(fact.value, at_column)
    )


def _library_entry(metric: str, **rest: object) -> Fragment:
    return {"type": "library", "metric": metric, **rest}


def _written_row_rule(rule: RowRule) -> Fragment:
    return {
        "name": rule.name,
        **({"description": rule.description} if rule.description else {}),
        "type": "custom",
        "engine": ENGINE,
        "implementation": rule.expression,
        "severity": rule.severity,
    }


def _written_set_rule(rule: SetRule, at_column: bool) -> Fragment:
    operands = [plain(one) for one in rule.operands]
    arguments = json.loads(rule.arguments) if rule.arguments else {}
    if rule.columns and not at_column and rule.metric != "sql":
        arguments["properties"] = list(rule.columns)
    head = {"type": "sql", "query": rule.query} if rule.metric == "sql" else _library_entry(rule.metric)
    return {
        "name": rule.name,
        **({"description": rule.description} if rule.description else {}),
        **head,
        **({"arguments": arguments} if arguments else {}),
        rule.operator: operands if rule.operator.endswith("Between") else operands[0],
        **({"unit": rule.unit} if rule.unit != "rows" else {}),
        "severity": rule.severity,
    }

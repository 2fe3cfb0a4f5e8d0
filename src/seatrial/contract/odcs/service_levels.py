"""Service levels of the standard that a table can be held to: freshness, latency and volume."""

from seatrial.contract.model import Freshness, Operator, SetRule
from seatrial.contract.odcs.extras import Fragment, extras, plain
from seatrial.contract.odcs.findings import Fact, Findings, severity_of
from seatrial.contract.odcs.relationships import Names

MODELLED = frozenset({"value", "valueExt", "unit", "element"})
_AGES = ("freshness", "latency")
_HOUR, _DAY = 3600.0, 86400.0
_UNITS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), _HOUR),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("w", "week", "weeks"), 7 * _DAY),
    **dict.fromkeys(("mo", "month", "months"), 30 * _DAY),
    **dict.fromkeys(("y", "yr", "year", "years"), 365 * _DAY),
}
_WRITTEN = (("d", _DAY), ("h", _HOUR), ("min", 60.0))


def service_level(
    level: Fragment, default: str | None, names: Names, findings: Findings
) -> tuple[str, tuple[Fact, ...]] | None:
    """The table that a service level is about and what it asks of it; None, with a note, when that is not checked."""
    kind, element = str(level.get("property")), level.get("element") or default
    place = f"slaProperties.{kind}"
    if kind not in (*_AGES, "volume"):
        findings.notes.append(f"{place}: a promise about the service, not about rows")
        return None
    value = level.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        findings.notes.append(f"{place}: {value!r} is no number above 0")
        return None
    if kind == "volume":
        return _volume(level, float(value), str(element), names, findings)
    resolved = names.resolve(str(element)) if element else None
    seconds = _UNITS.get(str(level.get("unit", "d")).lower())
    if resolved is None or seconds is None:
        what = f"unit {level.get('unit')}" if seconds is None else f"element {element}"
        findings.notes.append(f"{place}: the {what} is unknown; expected table.column and s, min, h, d, ...")
        return None
    table, column = resolved
    age = Freshness(
        column=column, seconds=value * seconds, severity=severity_of(extras(level).get("severity"))
    )
    return table, (Fact("freshness", None, age),)


def _volume(
    level: Fragment, least: float, element: str, names: Names, findings: Findings
) -> tuple[str, tuple[Fact, ...]] | None:
    table, most = names.table(element), level.get("valueExt")
    if table is None or str(level.get("unit", "rows")).lower() not in ("rows", "row"):
        findings.notes.append(
            f"slaProperties.volume: expected rows of a table, got {level.get('unit')} of {element}"
        )
        return None
    severity = severity_of(extras(level).get("severity"))
    bounds: list[tuple[str, Operator, float]] = [("volume", "mustBeGreaterOrEqualTo", least)]
    if isinstance(most, int | float) and not isinstance(most, bool):
        bounds.append(("volume, most", "mustBeLessOrEqualTo", float(most)))
    rules = (
        SetRule(name=name, metric="rowCount", operator=operator, operands=(bound,), severity=severity)
        for name, operator, bound in bounds
    )
    return table, tuple(Fact("set_rule", None, rule) for rule in rules)


def written_level(age: Freshness, table: str) -> Fragment:
    """The freshness of a table's column as a service level."""
    unit, seconds = next(
        ((name, size) for name, size in _WRITTEN if (age.seconds / size).is_integer()), ("s", 1.0)
    )
    warned = [{"property": "severity", "value": age.severity}] if age.severity != "error" else []
    return {
        "property": "freshness",
        "value": plain(age.seconds / seconds),
        "unit": unit,
        "element": f"{table}.{age.column}",
        **({"customProperties": warned} if warned else {}),
    }

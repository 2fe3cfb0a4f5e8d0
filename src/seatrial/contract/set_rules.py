"""Rules about a whole table: row counts, shares of bad values, queries, freshness, drift."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.complaints import complaint
from seatrial.contract.masking import MARK, is_sensitive, sensitive
from seatrial.contract.model import Freshness, SetRule, TableContract
from seatrial.contract.profile import distance, noise
from seatrial.contract.sanity import full_match_rust
from seatrial.errors import DataRefused
from seatrial.facts.profile import TableProfile
from seatrial.facts.snapshot import RuleResult

Rows = pl.DataFrame | pl.LazyFrame

_COUNTS = re.compile(r"\s*select\s+count\s*\([^()]*\)\s*(as\s+\w+\s*)?from\b", re.IGNORECASE)
_RELATIONS = {
    "mustBe": "{0:g}",
    "mustNotBe": "anything but {0:g}",
    "mustBeGreaterThan": "more than {0:g}",
    "mustBeGreaterOrEqualTo": "at least {0:g}",
    "mustBeLessThan": "less than {0:g}",
    "mustBeLessOrEqualTo": "at most {0:g}",
    "mustBeBetween": "more than {0:g} and less than {1:g}",
    "mustNotBeBetween": "at most {0:g} or at least {1:g}",
}


def set_results(
    table: TableContract,
    frames: Mapping[str, Rows],
    *,
    at: datetime,
    profile: TableProfile | None = None,
    reference: TableProfile | None = None,
    fresh: bool = True,
) -> tuple[RuleResult, ...]:
    """How the rules about the whole table fare on `frames[table.name]`, rows in the contract's types, at `at`.

    Queries see every frame under its name. Drift budgets are judged when there is a `profile` of what was
    delivered and a `reference` of what was delivered before; ages unless `fresh` is false, for whoever asks
    `freshness_results` at another time. A rule failed 0 or 1 times; `detail` tells more, and no value of a column
    that the contract classifies.
    """
    rows = frames[table.name].lazy()
    height = int(rows.select(pl.len()).collect(engine="streaming").item())
    results = [_set_result(table, rule, frames, height) for rule in table.set_rules]
    if fresh:
        results += freshness_results(table, rows, at=at)
    if profile is not None and reference is not None:
        results += _drift_results(table, profile, reference)
    return tuple(results)


def freshness_results(table: TableContract, rows: Rows, *, at: datetime) -> tuple[RuleResult, ...]:
    """How old the newest values of the table's rows are at `at`: one result per rule of freshness, no other rule."""
    if not table.freshness:
        return ()
    lazy = rows.lazy()
    newest = [pl.col(rule.column).max().alias(str(number)) for number, rule in enumerate(table.freshness)]
    height, *found = lazy.select(pl.len().alias("rows"), *newest).collect(engine="streaming").row(0)
    return tuple(
        freshness_result(table, rule, one, height, at)
        for rule, one in zip(table.freshness, found, strict=True)
    )


def refuse_broken(results: Sequence[RuleResult]) -> None:
    """Raises DataRefused with every rule about a whole table that is broken with severity error."""
    broken = [one for one in results if one.failed and one.detail and one.severity == "error"]
    if broken:
        told = "; ".join(f"{one.rule}: {one.detail}" for one in broken)
        sources = ", ".join(dict.fromkeys(one.source for one in broken))
        advice = "Mend the source, or the rule if the world has changed"
        raise DataRefused(f"source {sources}: {told}. {advice}")


def _result(
    table: TableContract, rule: str, rows: int, severity: str, *, broken: bool, detail: str
) -> RuleResult:
    return RuleResult(
        source=table.name, rule=rule, rows=rows, failed=int(broken), severity=severity, detail=detail
    )


class _Unanswered(ValueError):
    """A rule has no number, for a reason in our own words."""


def _set_result(table: TableContract, rule: SetRule, frames: Mapping[str, Rows], height: int) -> RuleResult:
    expected = _RELATIONS[rule.operator].format(*rule.operands)
    unit = " % of rows" if rule.unit == "percent" else ""
    try:
        number = _number(table, rule, frames, height)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, _Unanswered) else complaint(error)
        detail = f"expected {expected}{unit}, but it cannot be computed: {reason}"
        return _result(table, rule.name, height, rule.severity, broken=True, detail=detail)
    share = 100 * number / height if rule.unit == "percent" and height else number
    shown = MARK if _shows_values(table, rule) else f"{share:g}"
    detail = f"expected {expected}{unit}, found {shown}"
    holds = _holds(rule, share)
    return _result(table, rule.name, height, rule.severity, broken=not holds, detail=detail)


def _shows_values(table: TableContract, rule: SetRule) -> bool:
    """Whether a query's number may be a value of a classified column, as in MAX(salary); a count is none."""
    if rule.metric != "sql" or _COUNTS.match(rule.query):
        return False
    return any(name.lower() in rule.query.lower() for name in sensitive(table))


def _holds(rule: SetRule, found: float) -> bool:
    first, last = rule.operands[0], rule.operands[-1]
    return {
        "mustBe": found == first,
        "mustNotBe": found != first,
        "mustBeGreaterThan": found > first,
        "mustBeGreaterOrEqualTo": found >= first,
        "mustBeLessThan": found < first,
        "mustBeLessOrEqualTo": found <= first,
        "mustBeBetween": first < found < last,
        "mustNotBeBetween": not first < found < last,
    }[rule.operator]


def _number(table: TableContract, rule: SetRule, frames: Mapping[str, Rows], height: int) -> float:
    if rule.metric == "rowCount":
        return height
    if rule.metric == "sql":
        return _queried(rule, frames)
    rows, arguments = frames[table.name].lazy(), msgspec.json.decode(rule.arguments or b"{}")
    columns = list(rule.columns or arguments.get("properties") or [])
    if not columns:
        raise _Unanswered(f"{rule.metric} needs a column")
    if rule.metric == "duplicateValues":
        keys = rows.select(columns).drop_nulls()
        counts = keys.select(pl.len() - pl.struct(columns).n_unique()).collect(engine="streaming")
        return max(0, int(counts.item()))
    bad = pl.any_horizontal(_bad(rule.metric, pl.col(name), arguments) for name in columns)
    return int(rows.select(bad.sum()).collect(engine="streaming").item())


def _bad(metric: str, value: pl.Expr, arguments: Mapping[str, Any]) -> pl.Expr:
    if metric == "nullValues":
        return value.is_null()
    if metric == "missingValues":
        marks = arguments.get("missingValues", [None])
        named = [str(mark) for mark in marks if mark is not None]
        said = value.cast(pl.String).is_in(named).fill_null(False)
        return said | value.is_null() if None in marks else said
    text = value.cast(pl.String)
    invalid = pl.lit(False)
    if "validValues" in arguments:
        invalid |= ~text.is_in([str(one) for one in arguments["validValues"]])
    if "pattern" in arguments:
        invalid |= ~text.str.contains(full_match_rust(arguments["pattern"]))
    return invalid.fill_null(False)


def _queried(rule: SetRule, frames: Mapping[str, Rows]) -> float:
    found = pl.SQLContext(dict(frames)).execute(rule.query).collect()
    if found.height != 1 or found.width != 1 or found.item() is None:
        raise _Unanswered(f"the query should give one number, it gives {found.height} rows of {found.width}")
    if not (found.dtypes[0].is_numeric() or found.dtypes[0] == pl.Boolean):
        raise _Unanswered(f"the query should give a number, it gives {found.dtypes[0]}")
    return float(found.item())


def freshness_result(
    table: TableContract, rule: Freshness, newest: date | None, height: int, at: datetime
) -> RuleResult:
    """How old the newest value is, a date from its midnight in UTC, against how old it may be.

    The value of a column that the contract classifies is not told.
    """
    limit = timedelta(seconds=rule.seconds)
    expected = f"expected a {rule.column} of the last {limit}, as of {at:%Y-%m-%dT%H:%M:%SZ}"
    name = f"{rule.column}.freshness"
    if newest is None:
        return _result(table, name, height, rule.severity, broken=True, detail=f"{expected}, found none")
    midnight = time(tzinfo=UTC)
    moment = newest if isinstance(newest, datetime) else datetime.combine(newest, midnight)
    column = table.column(rule.column)
    hidden = column is not None and is_sensitive(column)
    detail = f"{expected}, found {MARK if hidden else f'{moment:%Y-%m-%dT%H:%M:%SZ}'}"
    return _result(table, name, height, rule.severity, broken=at - moment > limit, detail=detail)


def _drift_results(
    table: TableContract, profile: TableProfile, reference: TableProfile
) -> Iterator[RuleResult]:
    for column in table.columns:
        now, before = profile.column(column.name), reference.column(column.name)
        if column.drift_budget is None or now is None or before is None or not now.rows or not before.rows:
            continue
        found, chance = distance(before, now), noise(before, now)
        detail = (
            f"expected a distance of at most {column.drift_budget:g} from the rows before, found {found:.3f} "
            f"({before.rows} rows before, {now.rows} now; chance alone explains up to {chance:.3f})"
        )
        broken = found - chance > column.drift_budget
        yield _result(table, f"{column.name}.drift", now.rows, column.severity, broken=broken, detail=detail)

"""The contract over a whole table: every rule is decided, rows that break one are put aside with the reason.

Tables are read leniently where only the storage differs (integers for floats, 0 and 1 for booleans, whole floats
for integers, numbers as text); a value that cannot be read as its type is put aside, never silently null.
NaN is missing. Times must say their zone; a bare date counts as its midnight in UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from seatrial.contract.canonical import row_json
from seatrial.contract.casting import FIRST_YEAR, LAST_YEAR, Cast
from seatrial.contract.complaints import complaint
from seatrial.contract.foreign_keys import foreign_rule, keys_to_find, with_found
from seatrial.contract.model import TableContract
from seatrial.contract.quarantine import LINES, quarantine_rows
from seatrial.contract.rules import (
    RAW,
    SOUND,
    Rule,
    any_error,
    casts_of,
    flags,
    row_rules,
    unique_groups,
    unique_rule,
)
from seatrial.errors import DataRefused
from seatrial.facts.snapshot import RuleResult

LINE = "flag:line"
_REJECTED = "flag:rejected"


@dataclass(frozen=True)
class Checked:
    """`kept`: rows that broke no rule of severity error, in the contract's columns, order and types.

    `results` has one entry per rule, broken or not; `quarantined` one row per rule that a row broke (the columns
    of `facts.tables.QUARANTINE`). `rows` were read and `rejected` of them put aside; `kept_lines` are the places,
    from 0, that the kept rows had.
    """

    kept: pl.DataFrame
    results: tuple[RuleResult, ...]
    quarantined: pl.DataFrame
    rows: int
    rejected: int
    kept_lines: pl.Series


def check_table(
    table: TableContract,
    frame: pl.DataFrame,
    *,
    contract_version: str,
    at: datetime,
    others: Mapping[str, pl.DataFrame] | None = None,
    latest: datetime | None = None,
) -> Checked:
    """The table against its contract; columns that the contract does not name are dropped.

    Of rows that repeat a unique key, the last sound one stands; a key with a missing part repeats nothing. Keys
    of tables that are not in `others` are not looked up; keys of the table itself are found among its own rows
    too. Times of role made_at and known_at must not lie more than a day after `latest`, by default `at`. Raises
    DataRefused when columns are missing or cannot be read as their type; all are named.
    """
    casts = casts_of(table, frame.schema)
    others = others or {}
    keys = keys_to_find(table, others)
    alone = [*row_rules(table, casts, latest=latest or at), *(foreign_rule(key, table) for key in keys)]
    repeated = [unique_rule(group) for group in unique_groups(table)]
    rules = [*alone, *repeated]
    flagged = _flagged(table, frame, casts, others, alone, repeated)
    rejected = flagged[_REJECTED]
    lines = put_aside(rules, flagged.filter(rejected))
    kept = flagged.filter(~rejected)
    return Checked(
        kept=kept.select(*casts),
        results=_results(table, rules, flagged),
        quarantined=quarantine_rows(table.name, lines, contract_version=contract_version, at=at),
        rows=frame.height,
        rejected=int(rejected.sum()),
        kept_lines=kept[LINE].alias("line"),
    )


def _flagged(
    table: TableContract,
    frame: pl.DataFrame,
    casts: Mapping[str, Cast],
    others: Mapping[str, pl.DataFrame],
    alone: Sequence[Rule],
    repeated: Sequence[Rule],
) -> pl.DataFrame:
    """The raw columns, the typed ones, and one flag per rule that rows can break."""
    rows = typed(frame.lazy().select(pl.all().name.prefix(RAW)).with_row_index(LINE), casts)
    for key in keys_to_find(table, others):
        rows = with_found(rows, table, key, others)
    return collected(
        rows.with_columns(pl.col(LINE).cast(pl.Int64), *flags(alone))
        .with_columns((~any_error(alone)).alias(SOUND))
        .with_columns(flags(repeated))
        .with_columns(any_error([*alone, *repeated]).alias(_REJECTED)),
        table,
    )


def typed(rows: pl.LazyFrame, casts: Mapping[str, Cast]) -> pl.LazyFrame:
    """Rows of columns `raw:<name>`, with those of the contract in its types."""
    return rows.with_columns(cast.value.alias(name) for name, cast in casts.items())


def collected(rows: pl.LazyFrame, table: TableContract) -> pl.DataFrame:
    """The rows; a rule in SQL that fails on a value is the contract's fault and refuses the table."""
    try:
        return rows.collect()
    except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError) as error:
        reason = complaint(error)
        # From None: the error quotes the values that it failed on.
        raise DataRefused(f"source {table.name}: its rules cannot be computed: {reason}") from None


def _results(table: TableContract, rules: Sequence[Rule], flagged: pl.DataFrame) -> tuple[RuleResult, ...]:
    return tuple(
        RuleResult(
            source=table.name,
            rule=rule.name,
            rows=flagged.height,
            failed=int(flagged[rule.flag].sum()) if rule.broken is not None else 0,
            severity=rule.severity,
        )
        for rule in rules
    )


def refuse_when_thinned(
    table: TableContract, results: Sequence[RuleResult], *, rows: int, rejected: int
) -> None:
    """Raises DataRefused with every threshold that is passed.

    They are the shares of rejected rows, of the table and of single rules, and the least number of sound rows.
    """
    problems = list(_passed(table, results, rows, rejected))
    if problems:
        advice = "Mend the source, or the rule if the world has changed"
        raise DataRefused(f"source {table.name}: {'; '.join(problems)}. {advice}")


def _passed(table: TableContract, results: Sequence[RuleResult], rows: int, rejected: int) -> Iterator[str]:
    found = [one for one in results if one.failed and one.severity == "error"]
    broken = sorted(found, key=lambda one: -one.failed)
    why = "; ".join(f"{one.rule}: {one.failed} rows" for one in broken)
    if rejected > table.stop_above * rows:
        yield (
            f"{rejected} of {rows} rows break the contract, more than the {table.stop_above:.1%} "
            f"at which it is refused ({why})"
        )
    limits = {
        f"{column.name}.{rule.removeprefix(f'{column.name}.')}": share
        for column in table.columns
        for rule, share in column.stop_above
    }
    for one in results:
        share = limits.get(one.rule)
        if share is not None and one.failed > share * rows:
            yield f"{one.failed} of {rows} rows break {one.rule}, more than the {share:.1%} at which it is refused"
    if rows - rejected < table.minimum_rows:
        told = f" ({why})" if why else ""
        yield f"expected at least {table.minimum_rows} sound rows, received {rows - rejected} of {rows}{told}"


def put_aside(rules: Sequence[Rule], rejected: pl.DataFrame) -> pl.DataFrame:
    """One line per broken rule of severity error, rule by rule: line, rule, expected, received, the raw row."""
    raw = rejected.select(pl.col(f"^{RAW}.*$").name.map(lambda name: name.removeprefix(RAW)))
    rows = list(sayable(raw).iter_rows(named=True))
    written = [row_json(row) for row in rows]
    numbers = rejected[LINE].to_list()
    lines = [
        (numbers[index], rule.name, rule.expected, _received(rule, rows[index]), written[index])
        for rule in rules
        if rule.broken is not None and rule.severity == "error"
        for index in rejected[rule.flag].arg_true().to_list()
    ]
    return pl.DataFrame(lines, schema=LINES, orient="row")


def sayable(raw: pl.DataFrame) -> pl.DataFrame:
    """The rows with columns of times that Python's calendar cannot hold as text."""
    strange = [
        name
        for name, dtype in raw.schema.items()
        if isinstance(dtype, pl.Datetime | pl.Date)
        and not raw[name].dt.year().drop_nulls().is_between(FIRST_YEAR, LAST_YEAR).all()
    ]
    return raw.with_columns(pl.col(name).cast(pl.String) for name in strange)


def _received(rule: Rule, row: Mapping[str, Any]) -> str:
    return ", ".join(_shown(row[name]) for name in rule.columns)


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return "nothing" if value is None else repr(value)

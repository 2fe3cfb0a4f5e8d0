"""The contract over a whole table: one scan decides every rule, rows that break one are put aside with the reason.

Tables are read leniently where only the storage differs (integers for floats, 0 and 1 for booleans, whole floats
for integers, numbers as text); a value that cannot be read as its type is put aside, never silently null.
NaN is missing. Times must say their zone; a bare date counts as its midnight in UTC.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.casting import Cast, cast_column
from seatrial.contract.model import ColumnContract, Severity, TableContract
from seatrial.contract.sanity import full_match_rust, whole_bounds
from seatrial.contract.types import polars_schema
from seatrial.contract.wording import TYPE_WORDS, range_words
from seatrial.errors import DataRefused
from seatrial.facts.snapshot import RuleResult
from seatrial.facts.tables import QUARANTINE

_RAW = "raw:"
_SOUND = "flag:sound"
_REJECTED = "flag:rejected"


@dataclass(frozen=True)
class Checked:
    """`kept`: rows that broke no rule of severity error, in the contract's columns, order and types.

    `results` has one entry per rule, broken or not; `quarantined` one row per rule that a row broke.
    """

    kept: pl.DataFrame
    results: tuple[RuleResult, ...]
    quarantined: pl.DataFrame


@dataclass(frozen=True)
class _Rule:
    """One rule. `broken` is true where a row breaks it; None where the stored type leaves no room for that."""

    name: str
    columns: tuple[str, ...]
    expected: str
    broken: pl.Expr | None
    severity: Severity = "error"

    @property
    def flag(self) -> str:
        return f"flag:{self.name}"


def check_table(table: TableContract, frame: pl.DataFrame, *, contract_version: str, at: datetime) -> Checked:
    """The table against its contract; columns that the contract does not name are dropped.

    Of rows that repeat a unique key, the last sound one stands; a key with a missing part repeats nothing.
    Raises DataRefused when columns are missing or cannot be read as their type (all are named), when the share
    of rejected rows is above `stop_above`, or when fewer than `minimum_rows` are left.
    """
    casts = _casts(table, frame)
    row_rules = [rule for column in table.columns for rule in _column_rules(column, casts[column.name])]
    unique_rules = [_unique_rule(group) for group in _unique_groups(table)]
    rules = [*row_rules, *unique_rules]
    flagged = _flag(frame, casts, row_rules, unique_rules)
    results = _results(table, rules, flagged)
    rejected = flagged[_REJECTED]
    _refuse_when_thinned(table, int(rejected.sum()), results)
    kept = flagged.select(*casts).filter(~rejected)
    quarantined = _quarantine(table, rules, flagged.filter(rejected), contract_version, at)
    return Checked(kept, results, quarantined)


def _casts(table: TableContract, frame: pl.DataFrame) -> dict[str, Cast]:
    missing = [column.name for column in table.columns if column.name not in frame.columns]
    problems = [f"no column {', '.join(missing)}; it has {', '.join(frame.columns)}"] if missing else []
    casts = {}
    for column in table.columns:
        if column.name in frame.columns:
            cast = cast_column(f"{_RAW}{column.name}", column.type, frame.schema[column.name])
            if isinstance(cast, str):
                problems.append(f"column {column.name}: {cast}")
            else:
                casts[column.name] = cast
    if problems:
        raise DataRefused(f"source {table.name} does not fit its contract: {'; '.join(problems)}")
    return casts


def _column_rules(column: ColumnContract, cast: Cast) -> Iterator[_Rule]:
    yield _Rule(f"{column.name}.type", (column.name,), TYPE_WORDS[column.type], cast.broken)
    if column.required:
        # What could not be read is the type's fault, and said once.
        unread = pl.lit(False) if cast.broken is None else cast.broken.fill_null(False)
        empty = pl.col(column.name).is_null() & ~unread
        yield _Rule(f"{column.name}.required", (column.name,), "a value", empty)
    for name, expected in range_words(column).items():
        yield _Rule(
            f"{column.name}.{name}", (column.name,), expected, _outside(column, name), column.severity
        )


def _outside(column: ColumnContract, rule: str) -> pl.Expr:
    """True where a value lies outside what the rule allows; null where there is no value."""
    value = pl.col(column.name)
    # Whole numbers are compared as such: as floats, large ones would fall on the wrong side.
    low, high = whole_bounds(column) if column.type == "int" else (column.minimum, column.maximum)
    if rule == "minimum":
        return value < low
    if rule == "maximum":
        return value > high
    if rule == "pattern":
        return ~value.str.contains(full_match_rust(str(column.pattern)))
    if rule == "values":
        return ~value.is_in(list(column.values or ()))
    return value.str.len_chars() > column.max_length


def _unique_groups(table: TableContract) -> list[tuple[str, ...]]:
    alone = [(column.name,) for column in table.columns if column.unique]
    return list(dict.fromkeys([*alone, *table.unique]))


def _unique_rule(group: tuple[str, ...]) -> _Rule:
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in group) & pl.col(_SOUND)
    last = pl.struct(*group, _SOUND).is_last_distinct()
    return _Rule(f"{'+'.join(group)}.unique", group, "no later row with the same key", whole & ~last)


def _flag(
    frame: pl.DataFrame, casts: dict[str, Cast], row_rules: Sequence[_Rule], unique_rules: Sequence[_Rule]
) -> pl.DataFrame:
    """The raw columns, the typed ones, and one flag per rule that rows can break."""
    return (
        frame.lazy()
        .select(pl.all().name.prefix(_RAW))
        .with_columns(cast.value.alias(name) for name, cast in casts.items())
        .with_columns(_flags(row_rules))
        .with_columns((~_any_error(row_rules)).alias(_SOUND))
        .with_columns(_flags(unique_rules))
        .with_columns(_any_error([*row_rules, *unique_rules]).alias(_REJECTED))
        .collect()
    )


def _flags(rules: Sequence[_Rule]) -> list[pl.Expr]:
    return [rule.broken.fill_null(False).alias(rule.flag) for rule in rules if rule.broken is not None]


def _any_error(rules: Sequence[_Rule]) -> pl.Expr:
    flags = [pl.col(rule.flag) for rule in rules if rule.broken is not None and rule.severity == "error"]
    return pl.any_horizontal(pl.lit(False), *flags)


def _results(table: TableContract, rules: Sequence[_Rule], flagged: pl.DataFrame) -> tuple[RuleResult, ...]:
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


def _refuse_when_thinned(table: TableContract, rejected: int, results: Sequence[RuleResult]) -> None:
    rows = results[0].rows
    broken = sorted(
        (one for one in results if one.failed and one.severity == "error"), key=lambda one: -one.failed
    )
    why = "; ".join(f"{one.rule}: {one.failed} rows" for one in broken)
    if rejected > table.stop_above * rows:
        raise DataRefused(
            f"source {table.name}: {rejected} of {rows} rows break the contract, more than the {table.stop_above:.1%} "
            f"at which it is refused ({why}). Mend the source, or the rule if the world has changed"
        )
    if rows - rejected < table.minimum_rows:
        raise DataRefused(
            f"source {table.name}: expected at least {table.minimum_rows} sound rows, received {rows - rejected} "
            f"of {rows}{f' ({why})' if why else ''}"
        )


def _quarantine(
    table: TableContract, rules: Sequence[_Rule], rejected: pl.DataFrame, contract_version: str, at: datetime
) -> pl.DataFrame:
    """One row per broken rule of severity error, rule by rule in the order of the contract."""
    raw = rejected.select(pl.col(f"^{_RAW}.*$").name.map(lambda name: name.removeprefix(_RAW)))
    written = [msgspec.json.encode(row, enc_hook=str).decode() for row in raw.iter_rows(named=True)]
    lines = []
    for rule in rules:
        if rule.broken is None or rule.severity != "error":
            continue
        for index in rejected[rule.flag].arg_true():
            received = ", ".join(_shown(raw[name][index]) for name in rule.columns)
            lines.append((rule.name, f"expected {rule.expected}, received {received}", written[index]))
    names, reasons, rows = zip(*lines, strict=True) if lines else ((), (), ())
    fixed = {"source": table.name, "contract_version": contract_version, "at": at}
    found = pl.DataFrame(
        {"rule": names, "reason": reasons, "row": rows},
        schema=dict.fromkeys(("rule", "reason", "row"), pl.String),
    )
    schema = polars_schema(QUARANTINE)
    return found.with_columns(pl.lit(value).alias(name) for name, value in fixed.items()).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "nothing" if value is None else repr(value)

"""A first contract from a sample: cautious rules, each with its evidence in words.

A rule too many refuses good rows, so bounds are wider than the sample and are left out where the sample is too
small or too odd to tell; nobody but people can say what is impossible.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.model import ColumnContract, Role, TableContract
from seatrial.contract.types import type_name
from seatrial.errors import DataRefused

ENOUGH_ROWS = 100
MOST_VALUES = 20
LEAST_REPETITION = 50
QUANTILES = (0.001, 0.999)
# Two spans beyond the quantiles: long tails stay inside, a number in another unit does not.
WIDENING = 2.0
SLIVER = 0.001
SHORTEST_LIMIT = 16
_LATER: tuple[Role, ...] = ("outcome", "known_at")
_ALWAYS: tuple[Role, ...] = ("key", "made_at")
_IDENTIFYING: tuple[Role, ...] = ("key", "lookup_key")


def infer_table(
    name: str,
    frame: pl.DataFrame,
    *,
    roles: Mapping[str, Role],
    unique: Sequence[tuple[str, ...]] = (),
    required: Collection[str] | None = None,
) -> TableContract:
    """The contract that a sample suggests for the columns in `roles`, in the order of the sample.

    `unique` are sets of columns that would make sense as keys: those without repetition in the sample become
    rules. Only columns in `required` (by default all) may be found to be required. Closed sets of values are
    warnings: a new category is news, not an error. Raises DataRefused for columns of a type no contract has.
    """
    chosen = [column for column in frame.columns if column in roles]
    _refuse_unfit(name, frame, roles)
    columns = [_column(frame[column], roles[column]) for column in chosen]
    if required is not None:
        columns = [column if column.name in required else _optional(column) for column in columns]
    alone = {group[0] for group in unique if len(group) == 1 and _is_key(frame, group)}
    return TableContract(
        name=name,
        columns=tuple(msgspec.structs.replace(one, unique=one.name in alone) for one in columns),
        unique=tuple(group for group in unique if len(group) > 1 and _is_key(frame, group)),
    )


def _refuse_unfit(name: str, frame: pl.DataFrame, roles: Mapping[str, Role]) -> None:
    missing = [column for column in roles if column not in frame.columns]
    odd = [
        f"{column} ({frame.schema[column]})"
        for column in frame.columns
        if column in roles and frame.schema[column] != pl.Null and type_name(frame.schema[column]) is None
    ]
    problems = [f"no column {', '.join(missing)}; it has {', '.join(frame.columns)}"] if missing else []
    problems += [f"columns of a type that no contract has: {', '.join(odd)}"] if odd else []
    if problems:
        raise DataRefused(f"source {name}: {'; '.join(problems)}")


def _optional(column: ColumnContract) -> ColumnContract:
    return msgspec.structs.replace(column, required=column.role in _ALWAYS)


def _is_key(frame: pl.DataFrame, group: Sequence[str]) -> bool:
    keys = frame.select(group).drop_nulls()
    return keys.height >= ENOUGH_ROWS and not keys.is_duplicated().any()


def _column(series: pl.Series, role: Role) -> ColumnContract:
    kind = "bool" if role == "outcome" and _is_flag(series) else (type_name(series.dtype) or "string")
    rows, nulls = len(series), _missing(series)
    required, evidence = _required(rows, nulls, role)
    rules: dict[str, Any] = {}
    if role not in _IDENTIFYING and kind in ("float", "int"):
        rules, found = _bounds(series)
        evidence += found
    elif kind == "string":
        rules, found = _text_rules(series.cast(pl.String), closed=role not in _IDENTIFYING)
        evidence += found
    return ColumnContract(
        name=series.name, type=kind, role=role, required=required, evidence="; ".join(evidence), **rules
    )


def _is_flag(series: pl.Series) -> bool:
    """Whether numbers are a yes and no: outcomes often are stored so."""
    if not series.dtype.is_numeric():
        return False
    return set(series.drop_nulls().unique().to_list()) == {0, 1}


def _missing(series: pl.Series) -> int:
    return int((series.fill_nan(None) if series.dtype.is_float() else series).null_count())


def _required(rows: int, nulls: int, role: Role) -> tuple[bool, list[str]]:
    evidence = [
        f"{nulls} of {rows} sample rows are missing" if nulls else f"none of {rows} sample rows is missing"
    ]
    if role in _ALWAYS:
        return True, evidence
    if role in _LATER:
        return False, [*evidence, "not required, because it is known later"]
    return nulls == 0 and rows >= ENOUGH_ROWS, evidence


def _bounds(series: pl.Series) -> tuple[dict[str, Any], list[str]]:
    """Bounds `WIDENING` spans beyond the outer quantiles; none where they would tell nothing or refuse too much."""
    numbers = series.cast(pl.Float64).fill_nan(None).drop_nulls()
    numbers = numbers.filter(numbers.is_finite())
    if len(numbers) < ENOUGH_ROWS:
        return {}, []
    low, high = (_quantile(numbers, share) for share in QUANTILES)
    span = high - low
    minimum, maximum = (
        _outward(low - WIDENING * span, down=True),
        _outward(high + WIDENING * span, down=False),
    )
    outside = int(((numbers < minimum) | (numbers > maximum)).sum())
    seen = f"sample 0.1 %..99.9 % quantiles {low:.6g}..{high:.6g}"
    if span == 0 or outside > SLIVER * len(numbers):
        return {}, [f"{seen}: too odd for bounds"]
    return {"minimum": minimum, "maximum": maximum}, [
        f"{seen}, widened by {WIDENING:g} spans to {minimum:g}..{maximum:g}; {outside} sample rows lie outside"
    ]


def _quantile(numbers: pl.Series, share: float) -> float:
    found = numbers.quantile(share, interpolation="nearest")
    assert found is not None  # the caller made sure that there are numbers
    return float(found)


def _outward(bound: float, *, down: bool) -> float:
    """The bound with two digits, rounded away from the sample, so that people can read it."""
    if bound == 0 or not math.isfinite(bound):
        return 0.0 if bound == 0 else bound
    unit = 10.0 ** (math.floor(math.log10(abs(bound))) - 1)
    rounded = (math.floor if down else math.ceil)(bound / unit) * unit
    return float(f"{rounded:.3g}")


def _text_rules(texts: pl.Series, *, closed: bool) -> tuple[dict[str, Any], list[str]]:
    present = texts.drop_nulls()
    if len(present) < ENOUGH_ROWS:
        return {}, []
    counts = present.value_counts(name="rows")
    if closed and counts.height <= MOST_VALUES and len(present) >= LEAST_REPETITION * counts.height:
        values, rarest = tuple(sorted(counts[texts.name].to_list())), min(counts["rows"].to_list())
        told = f"{counts.height} values, the rarest {rarest} times; a new one is a warning"
        return {"values": values, "severity": "warning"}, [told]
    longest = max(present.str.len_chars().to_list())
    limit = max(SHORTEST_LIMIT, 2 * longest)
    return {"max_length": limit}, [
        f"longest text in the sample {longest} characters; the limit is double that, at least {SHORTEST_LIMIT}"
    ]

"""What a sample of one column suggests."""

import math
from typing import Any

import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.formats import FORMATS
from seatrial.contract.model import ColumnContract, Role, TypeName
from seatrial.contract.sanity import full_match_rust
from seatrial.contract.types import type_name
from seatrial.contract.zones import in_zone, is_text_of_times, without_zone

ENOUGH_ROWS = 100
MOST_VALUES = 20
LEAST_REPETITION = 50
_QUANTILES = (0.001, 0.999)
# Spans beyond the quantiles: at least one, because a sample may be of one season; at most two, which still keeps
# out a number in another unit. Between them the tail decides.
_LEAST_WIDENING, _MOST_WIDENING = 1.0, 2.0
# How many times ten rows more than the sample's rarest thousandth the bound is to hold for.
_DECADES = 6
_SLIVER = 0.001
_FLOOR_SHARE = 0.01
# Whole numbers of which a sample shows all: few values, or values with hardly a gap between them, as ages are.
_FEW_VALUES = 50
_MOST_CLOSE_VALUES = 200
_CLOSE = 0.9
# Positive numbers that come so near to zero, in spans, end there.
_NEAR = 0.1
_SHORTEST_LIMIT = 16
_TOLD_FORMATS = ("uuid", "email")
# Whether a text is a time does not depend on its zone.
_ANY_ZONE = "UTC"
_TEXT_TYPES: tuple[TypeName, ...] = ("timestamp", "date", "time")
_LATER: tuple[Role, ...] = ("outcome", "known_at")
_ALWAYS: tuple[Role, ...] = ("key", "made_at")
_IDENTIFYING: tuple[Role, ...] = ("key", "lookup_key")


def infer_column(series: pl.Series, role: Role, *, texts: bool = False) -> ColumnContract:
    """The rules that a sample of a column suggests. `texts`: texts that all are times or dates become such."""
    kind = "bool" if role == "outcome" and _is_flag(series) else column_type(series, texts=texts)
    assert kind is not None  # columns of types that no contract has were refused before
    rows, nulls = len(series), _missing(series)
    required, evidence = _required(rows, nulls, role)
    rules: dict[str, Any] = {}
    if role not in _IDENTIFYING and kind in ("float", "int"):
        rules, found = _bounds(series)
        evidence += found
    elif kind == "string":
        rules, found = _text_rules(series.cast(pl.String), closed=role not in _IDENTIFYING)
        evidence += found
    if kind in _TEXT_TYPES and series.dtype == pl.String:
        evidence.append(f"every text of the sample is a {kind}")
    if without_zone(pl.DataFrame(series)):
        evidence.append("its times have no zone; the source must say which it is, as its `timezone`")
    return ColumnContract(
        name=series.name, type=kind, role=role, required=required, evidence="; ".join(evidence), **rules
    )


def column_type(series: pl.Series, *, texts: bool) -> TypeName | None:
    """The contract type of a column, None when there is none."""
    if series.dtype == pl.Null:
        return "string"
    return _told_type(series) if texts else type_name(series.dtype)


def _told_type(series: pl.Series) -> TypeName | None:
    """The type that dates and texts have by what they say."""
    if series.dtype == pl.Date:
        return "date"
    if series.dtype == pl.Time:
        return "time"
    if series.dtype != pl.String:
        return type_name(series.dtype)
    if is_text_of_times(series):
        series = in_zone(pl.DataFrame(series), _ANY_ZONE)[series.name]
        return "timestamp" if _all_are(series, "timestamp") else "string"
    if series.count() < ENOUGH_ROWS:
        return "string"
    return next((kind for kind in _TEXT_TYPES if _all_are(series, kind)), "string")


def _all_are(texts: pl.Series, kind: TypeName) -> bool:
    cast = cast_column(texts.name, kind, texts.dtype)
    assert not isinstance(cast, str)  # texts can be read as any of these types
    read = pl.DataFrame(texts).select(cast.value.alias("value"))["value"]
    return read.null_count() == texts.null_count()


def optional(column: ColumnContract) -> bool:
    """Whether a column nobody reads may be left empty: not one that identifies or dates a row."""
    return column.role not in _ALWAYS


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
    """Bounds beyond what was seen; none where they would tell nothing or refuse too much."""
    numbers = series.cast(pl.Float64).fill_nan(None).drop_nulls()
    numbers = numbers.filter(numbers.is_finite())
    if len(numbers) < ENOUGH_ROWS:
        return {}, []
    if numbers.n_unique() == 1:
        return {}, [f"all {len(numbers)} are {numbers[0]:g}, which tells of no bounds"]
    if series.dtype.is_integer() and numbers.is_sorted() and numbers.n_unique() == len(numbers):
        return {}, ["a running number, for which no bound would hold"]
    return _seen_range(numbers) if _is_counted_out(numbers) else _wide_range(numbers)


def _wide_range(numbers: pl.Series) -> tuple[dict[str, Any], list[str]]:
    """Bounds beyond the outer quantiles; a warning where the sample tells little of its ends."""
    minimum, maximum, told = _beyond_quantiles(numbers)
    outside = _outside(numbers, minimum, maximum)
    if minimum == maximum or outside > _SLIVER * len(numbers):
        return {}, [f"{told[0]}: too odd for bounds"]
    rules = {"minimum": minimum, "maximum": maximum}
    words = f"{', '.join(told)}, to {minimum:g}..{maximum:g}; {outside} sample rows lie outside"
    if weak := _weakness(numbers):
        return {**rules, "severity": "warning"}, [f"{words}; a warning, because {weak}"]
    return rules, [words]


def _is_counted_out(numbers: pl.Series) -> bool:
    """Whether they are whole numbers of so few values, or so close together, that the sample shows them all."""
    if (numbers != numbers.round()).any():
        return False
    distinct, reach = numbers.n_unique(), _quantile(numbers, 1.0) - _quantile(numbers, 0.0) + 1
    return distinct <= _FEW_VALUES or (distinct <= _MOST_CLOSE_VALUES and distinct >= _CLOSE * reach)


def _seen_range(numbers: pl.Series) -> tuple[dict[str, Any], list[str]]:
    """The range that was seen, as a warning, wider by a tenth where few rows lie at its end."""
    least, most = _quantile(numbers, 0.0), _quantile(numbers, 1.0)
    margin = max(1, math.ceil((most - least) / 10))
    below, above = (0 if _is_full(numbers, end) else margin for end in (least, most))
    minimum = max(least - below, 0.0) if least >= 0 else least - below
    maximum = min(most + above, 0.0) if most < 0 else most + above
    told = f"{numbers.n_unique()} whole numbers, {least:g}..{most:g}, and {minimum:g}..{maximum:g} with some room"
    return {"minimum": minimum, "maximum": maximum, "severity": "warning"}, [f"{told}; another is a warning"]


def _is_full(numbers: pl.Series, end: float) -> bool:
    """Whether a range really ends there: a tail has few rows at its end."""
    return int((numbers == end).sum()) >= _FLOOR_SHARE * len(numbers)


def _beyond_quantiles(numbers: pl.Series) -> tuple[float, float, list[str]]:
    """Least and largest number to accept, and why; never below zero, or above, when no number of the sample is."""
    low, high = (_quantile(numbers, share) for share in _QUANTILES)
    span = high - low
    below, above = _widening(-numbers, span), _widening(numbers, span)
    minimum, maximum = _outward(low - below * span, down=True), _outward(high + above * span, down=False)
    seen = f"sample 0.1 %..99.9 % quantiles {low:.6g}..{high:.6g}"
    told = f"widened by {below:.2g} spans below and {above:.2g} above, as the tails go"
    if span == 0:
        return low, low, [seen]
    if minimum < 0 <= _quantile(numbers, 0.0):
        return (
            0.0,
            maximum,
            [seen, f"widened by {above:.2g} spans above, as the tail goes", "none is negative"],
        )
    if maximum > 0 >= _quantile(numbers, 1.0):
        return (
            minimum,
            0.0,
            [seen, f"widened by {below:.2g} spans below, as the tail goes", "none is positive"],
        )
    return minimum, maximum, [seen, told]


def _weakness(numbers: pl.Series) -> str:
    """Why the sample says too little of the ends to put rows aside for them; empty when it says enough."""
    low, high = (_quantile(numbers, share) for share in _QUANTILES)
    heavy = [
        name
        for name, turned in (("below", -numbers), ("above", numbers))
        if _widening(turned, high - low) >= _MOST_WIDENING
    ]
    if heavy:
        return f"the tail {' and '.join(heavy)} is heavy"
    if low > _NEAR * (high - low) and low - _widening(-numbers, high - low) * (high - low) < 0 <= _quantile(
        numbers, 0.0
    ):
        return "zero is the least only because nothing below was seen"
    half = len(numbers) // 2
    if half >= ENOUGH_ROWS:
        minimum, maximum, _ = _beyond_quantiles(numbers.head(half))
        if later := _outside(numbers.slice(half), minimum, maximum):
            return f"{later} rows of the second half lie beyond what the first half suggests"
    return ""


def _outside(numbers: pl.Series, minimum: float, maximum: float) -> int:
    return int(((numbers < minimum) | (numbers > maximum)).sum())


def _widening(numbers: pl.Series, span: float) -> float:
    """Spans to go beyond the upper quantile, from how the tail thins: how much further each tenth is.

    With q the quantile of a share, (q(.999) - q(.99)) / (q(.99) - q(.9)) is that factor for a generalised Pareto
    tail; the steps to come are a geometric series. Twice that is taken, within the limits.
    """
    tenth, hundredth, thousandth = (_quantile(numbers, share) for share in (0.9, 0.99, 0.999))
    last, before = thousandth - hundredth, hundredth - tenth
    if span <= 0 or before <= 0:
        return _MOST_WIDENING
    steps = sum((last / before) ** step for step in range(1, _DECADES + 1))
    return min(max(2 * last * steps / span, _LEAST_WIDENING), _MOST_WIDENING)


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
    for name in _TOLD_FORMATS:
        if present.str.contains(full_match_rust(FORMATS[name])).all():
            return {"format": name}, [f"all {len(present)} texts of the sample have the form of {name}"]
    return _lengths(present.str.len_chars())


def _lengths(lengths: pl.Series) -> tuple[dict[str, Any], list[str]]:
    longest, shortest = max(lengths.to_list()), min(lengths.to_list())
    limit = max(_SHORTEST_LIMIT, 2 * longest)
    told = [
        f"longest text in the sample {longest} characters; the limit is double that, at least {_SHORTEST_LIMIT}"
    ]
    if shortest == 0:
        return {"max_length": limit}, told
    return {"min_length": 1, "max_length": limit}, [*told, "none is empty"]

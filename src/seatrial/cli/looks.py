"""Profiles, comparisons and lineages as text for a terminal."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from seatrial.cli.words import bullets, share, short, table

if TYPE_CHECKING:
    from seatrial.data.comparison import ColumnChange, Comparison, RuleChange
    from seatrial.data.lineage import Lineage
    from seatrial.data.profiles import ColumnSummary, Value
    from seatrial.data.provenance import Node

_BLOCKS = " ▁▂▃▄▅▆▇█"
# Smaller distances are not worth a line, however certain they are.
_NOTABLE = 0.02
_LISTED = 5


def profile_text(name: str, state: str, rows: int, columns: "Sequence[ColumnSummary]") -> str:
    """A profile: numbers and times in one table, categories in another."""
    told = [column for column in columns if not column.hidden]
    numbers = [column for column in told if column.quantiles]
    counted = [column for column in told if column.top]
    rest = [column for column in columns if column not in numbers and column not in counted]
    headers = ("column", "missing", "min", "1 %", "25 %", "median", "75 %", "99 %", "max", "mean", "")
    parts = [f"{name} {short(state)}: {rows:,} rows"]
    if numbers:
        parts.append(table(headers, [_number_row(column) for column in numbers]))
    if counted:
        rows_shown = [_category_row(column) for column in counted]
        parts.append(table(("column", "missing", "distinct", "most frequent"), rows_shown))
    if rest:
        parts.append(table(("column", "missing", ""), [_plain_row(column) for column in rest]))
    return "\n\n".join(parts)


def _number_row(column: "ColumnSummary") -> tuple[str, ...]:
    found = [column.quantiles.get(f"{q:g}") for q in (0.01, 0.25, 0.5, 0.75, 0.99)]
    values = [column.minimum, *found, column.maximum]
    told = _whole if column.type == "int" else _value
    # A mean of years is a year as well; one of small numbers keeps its decimals.
    mean = told(column.mean) if _is_large(column.mean) else _value(column.mean)
    shown = [*(told(value) for value in values), mean]
    return (column.name, share(column.missing), *shown, bar(column.bars))


def _category_row(column: "ColumnSummary") -> tuple[str, ...]:
    shown = "  ".join(f"{_cut(value)} {_rough(part)}" for value, part in column.top[:_LISTED])
    distinct = "many" if column.distinct is None else f"{column.distinct:,}"
    return (column.name, share(column.missing), distinct, shown)


def _plain_row(column: "ColumnSummary") -> tuple[str, str, str]:
    why = "values name single rows: none is kept" if column.missing < 1 else "no values"
    why = "hidden: classified in the contract" if column.hidden else why
    return (column.name, share(column.missing), why)


def bar(shares: Sequence[float]) -> str:
    """One character per share, as high as the share is beside the largest; any share above zero is seen."""
    largest = max(shares, default=0.0)
    if largest <= 0:
        return ""
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[max(1, round(steps * part / largest)) if part > 0 else 0] for part in shares)


def _value(value: "Value | None") -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"


def _whole(value: "Value | None") -> str:
    """A whole number, as which quantiles of whole numbers are told too; four digits, as years have, stay together."""
    if value is None or isinstance(value, datetime) or abs(value) >= 1e15:
        return _value(value)
    return f"{value:.0f}" if abs(value) < 10_000 else f"{value:,.0f}"


def _is_large(value: "Value | None") -> bool:
    return value is not None and not isinstance(value, datetime) and abs(value) >= 1000


def _rough(part: float) -> str:
    return f"{part:.0%}" if part >= 0.01 else share(part)


def _cut(text: str, length: int = 24) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def comparison_text(found: "Comparison") -> str:
    """What changed between two states, the rows first."""
    return "\n\n".join(part for part in _comparison_parts(found) if part)


def _comparison_parts(found: "Comparison") -> Iterator[str]:
    yield f"{found.table}: {short(found.old)} → {short(found.new)}"
    yield _rows_text(found)
    yield _columns_text(found)
    if found.rules:
        yield table(
            ("source", "rule", "failed before", "failed now"), [_rule_row(rule) for rule in found.rules]
        )
    else:
        yield "every rule fares as before"
    yield _contract_text(found)


def _rows_text(found: "Comparison") -> str:
    rows = found.rows
    changed = "" if rows.changed is None else f", {rows.changed:,} changed"
    counts = f"{rows.before:,} rows → {rows.after:,}: {rows.added:,} added, {rows.removed:,} removed{changed}"
    by = f"same rows by {', '.join(rows.key)}" if rows.key else rows.note
    fresh = f"\ncolumns: the {found.fresh:,} rows that came against those before" if found.fresh else ""
    return f"{counts}\n{by}{fresh}"


def _columns_text(found: "Comparison") -> str:
    notable = [column for column in found.columns if _is_notable(column)]
    lines = [f"new column {name}" for name in found.added_columns]
    lines += [f"column {name} is gone" for name in found.removed_columns]
    if not notable:
        return "\n".join([*lines, "no column changed to speak of"])
    headers = ("column", "distance", "", "missing before", "missing now", "values changed", "categories")
    return "\n".join([*lines, table(headers, [_column_row(column) for column in notable])])


def _is_notable(column: "ColumnChange") -> bool:
    moved = (column.distance or 0.0) > max(_NOTABLE, column.noise or 0.0) and not column.moves_by_itself
    return moved or bool(column.changed) or bool(column.appeared) or bool(column.vanished)


def _column_row(column: "ColumnChange") -> tuple[str, ...]:
    known = column.distance is not None
    before, after = column.missing or (0.0, 0.0)
    named = [f"+{_cut(name)}" for name in column.appeared[:_LISTED]]
    named += [f"-{_cut(name)}" for name in column.vanished[:_LISTED]]
    return (
        column.name,
        f"{column.distance:.3f}" if known else "-",
        "█" * round(20 * (column.distance or 0.0)),
        share(before) if known else "-",
        share(after) if known else "-",
        "-" if column.changed is None else f"{column.changed:,}",
        " ".join(named),
    )


def _rule_row(change: "RuleChange") -> tuple[str, ...]:
    return (change.source, change.rule, _verdict(change.before), _verdict(change.after))


def _verdict(verdict: tuple[int, int] | None) -> str:
    return "not checked" if verdict is None else f"{verdict[0]:,} of {verdict[1]:,}"


def _contract_text(found: "Comparison") -> str:
    before, after = found.contract
    if before == after and not found.contract_changes:
        return ""
    changes = bullets(f"{one.kind}: {one.place}: {one.what}; {one.why}" for one in found.contract_changes)
    return "\n".join(filter(None, [f"contract {before} → {after}", changes]))


def lineage_text(found: "Lineage") -> str:
    """What was asked for, then two trees: where it came from, and what was made from it."""
    start = found.node(found.start)
    parts = [_told(start)]
    if found.direction in ("up", "both"):
        parts.append("\n".join(["made from", *_tree(found, up=True)]))
    if found.direction in ("down", "both"):
        parts.append("\n".join(["went into", *_tree(found, up=False)]))
    return "\n\n".join(parts)


def _tree(found: "Lineage", *, up: bool) -> list[str]:
    lines = list(_branches(found, found.start, up=up, indent="", seen={found.start}))
    return lines or ["└─ nothing"]


def _branches(found: "Lineage", key: str, *, up: bool, indent: str, seen: set[str]) -> Iterator[str]:
    edges = found.origins(key) if up else found.uses(key)
    nexts = [(edge, edge.origin if up else edge.to) for edge in edges]
    for place, (edge, other) in enumerate(nexts):
        last = place == len(nexts) - 1
        node = found.node(other)
        again = other in seen
        seen.add(other)
        mark = "  (shown above)" if again else ""
        yield f"{indent}{'└─' if last else '├─'} {_told(node)}  [{edge.words}]{mark}"
        if again:
            continue
        deeper = indent + ("   " if last else "│  ")
        end, skipped = _run(found, other, up=up, seen=seen)
        if skipped:
            yield (
                f"{deeper}⋮  {skipped:,} loads more, back to"
                if up
                else f"{deeper}⋮  {skipped:,} loads more, to"
            )
            yield f"{deeper}{_told(found.node(end))}"
        yield from _branches(found, end, up=up, indent=deeper, seen=seen)


def _run(found: "Lineage", key: str, *, up: bool, seen: set[str]) -> tuple[str, int]:
    """The end of a run of loads that only go on from each other, and how many lie between."""
    passed = 0
    while True:
        edges = found.origins(key) if up else found.uses(key)
        onward = [edge.origin if up else edge.to for edge in edges]
        others = [found.node(other).kind for other in onward]
        loads = [other for other, kind in zip(onward, others, strict=True) if kind == "load"]
        # The source is told at the run's end; whatever else is there is worth a line of its own.
        if not key.startswith("load:") or len(loads) != 1 or set(others) - {"load", "source"}:
            return key, max(0, passed - 1)
        key = loads[0]
        seen.add(key)
        passed += 1


def _told(node: "Node") -> str:
    at = f", {node.at:%Y-%m-%d %H:%M}" if node.at else ""
    name = node.words if node.kind == "predictions" else f"{node.kind} {short(node.id)}: {node.words}"
    concern = f"  ⚠ {node.concern}" if node.concern else ""
    return f"{name}{at}{concern}"

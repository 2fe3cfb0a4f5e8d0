"""Rules in SQL that decide every row: what cannot be computed of a row is unknown, and stops no other row.

Polars casts strictly by default, so that one text that is no number would end the reading of a whole table.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

_SAMPLES = (("1", 1), ("2020-01-01", 0), ("a", 2))
# Names and values, which may look like anything.
_LEAVES = ("Column", "Literal")


def lenient(parsed: pl.Expr, reads: Sequence[str]) -> pl.Expr:
    """The expression, null where its casts fail, or where it cannot be computed of a row's values of `reads`."""
    tree = json.loads(parsed.meta.serialize(format="json"))
    loose = _loosened(tree)
    if loose != tree:
        parsed = _read(loose)
    return _guarded(parsed, reads) if reads and any(_takes_columns(node) for node in _nodes(tree)) else parsed


def impossible(parsed: pl.Expr, types: Mapping[str, Any]) -> str | None:
    """Why it cannot be computed of any row, such as for a cast that Polars has not; None when it can of some."""
    loose = _read(_loosened(json.loads(parsed.meta.serialize(format="json"))))
    reads = {name: kind for name, kind in types.items() if name in parsed.meta.root_names()}
    reason = None
    for text, number in _SAMPLES:
        try:
            pl.DataFrame(
                {
                    name: pl.Series([text if kind == pl.String else number]).cast(kind)
                    for name, kind in reads.items()
                }
            ).select(loose)
        except pl.exceptions.PolarsError as error:
            reason = reason or (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        else:
            return None
    return reason


def _read(tree: Any) -> pl.Expr:
    return pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")


def guesses_times(parsed: pl.Expr) -> bool:
    """Whether it reads times without being told how they are written: Polars would guess that from other rows."""
    nodes = _nodes(json.loads(parsed.meta.serialize(format="json")))
    return any("Strptime" in node and node["Strptime"][1]["format"] is None for node in nodes)


def _loosened(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_loosened(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    said: dict[str, Any] = {"options": "NonStrict"} if tree.get("options") == "Strict" else {}
    said |= {"strict": False} if tree.get("strict") is True else {}
    return {name: part if name in _LEAVES else _loosened(part) for name, part in tree.items()} | said


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    parts = tree if isinstance(tree, list) else tree.items() if isinstance(tree, dict) else ()
    for part in parts:
        name, inner = part if isinstance(part, tuple) else ("", part)
        if name not in _LEAVES:
            yield from _nodes(inner)


def _takes_columns(node: dict[str, Any]) -> bool:
    """Whether it is a function of more than one thing that differs from row to row, as in SUBSTR(a, 1, n).

    Such a function has casts of its own, which stay strict.
    """
    arguments = node["Function"].get("input", ()) if isinstance(node.get("Function"), dict) else ()
    return sum("Literal" not in one for one in arguments) > 1 or "Pow" in json.dumps(node.get("Function", ""))


def _guarded(parsed: pl.Expr, reads: Sequence[str]) -> pl.Expr:
    def computed(rows: pl.Series) -> pl.Series:
        return _by_halves(rows.struct.unnest(), parsed)

    return pl.struct(*reads).map_batches(computed, return_dtype=pl.Boolean, is_elementwise=True)


def _by_halves(rows: pl.DataFrame, parsed: pl.Expr) -> pl.Series:
    try:
        return rows.select(parsed.cast(pl.Boolean).alias("holds"))["holds"]
    except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError):
        if rows.height <= 1:
            return pl.Series("holds", [None] * rows.height, dtype=pl.Boolean)
    half = rows.height // 2
    return pl.concat([_by_halves(rows[:half], parsed), _by_halves(rows[half:], parsed)])

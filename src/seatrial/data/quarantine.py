"""Rows that were put aside: which are still open, what they held, and how they are settled."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.model import TableContract
from seatrial.contract.types import polars_schema
from seatrial.facts.tables import QUARANTINE, SETTLED_QUARANTINE, table_name
from seatrial.ports.tables import Tables

SCHEMA = polars_schema(QUARANTINE)
SETTLED_SCHEMA = polars_schema(SETTLED_QUARANTINE)
CORRECTED, FITS = "corrected", "fits the contract now"
REPLACED, STORED = "replaced by a later delivery", "is stored already"
_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)


def open_rows(
    tables: Tables,
    product: str,
    *,
    source: str | None = None,
    rule: str | None = None,
    since: datetime | None = None,
    load: int | None = None,
) -> pl.DataFrame:
    """The rows in quarantine that nothing has settled since, oldest first, one per broken rule.

    `since` is a moment from which they were put aside. A row that was put aside, settled and put aside again is there
    once.
    """
    ever = ever_aside(
        tables, product, where=pl.lit(value=True) if source is None else pl.col("source") == source
    )
    ends = tables.read(table_name(product, "quarantine_settled"))
    open_now = _unsettled(ever, ends) if ends.width else ever
    wanted = {
        "rule": rule is None or pl.col("rule") == rule,
        "since": since is None or pl.col("at") >= since,
        "load": load is None or pl.col("load") == load,
    }
    asked = [condition for condition in wanted.values() if isinstance(condition, pl.Expr)]
    return open_now.filter(asked) if asked else open_now


def ever_aside(tables: Tables, product: str, *, where: pl.Expr) -> pl.DataFrame:
    """Every row that was ever put aside and satisfies `where`, oldest first; columns of QUARANTINE."""
    rows = tables.read(table_name(product, "quarantine"), where=where)
    found = rows.select(*SCHEMA) if rows.width else pl.DataFrame(schema=SCHEMA)
    return found.sort("at", "load", "source", "line", "rule", "id", nulls_last=True)


def _unsettled(ever: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """The rows of the last time that each was put aside, where nothing settled them then or later.

    Two loads may be read at one time, and what has no load comes last.
    """
    events = pl.concat([_events(ever, aside=True), _events(ends, aside=False)])
    last = events.sort("at", "load", "aside", descending=[False, False, True], nulls_last=True).unique(
        "id", keep="last", maintain_order=True
    )
    return ever.join(
        last.filter("aside"), on=["id", "at", "load"], how="semi", nulls_equal=True, maintain_order="left"
    )


def _events(rows: pl.DataFrame, *, aside: bool) -> pl.DataFrame:
    return rows.select("id", "at", "load", pl.lit(aside).alias("aside"))


def counts(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows per source and rule (source, rule, rows, first, last), most first."""
    counted = rows.group_by("source", "rule").agg(
        pl.len().cast(pl.Int64).alias("rows"),
        pl.col("at").min().alias("first"),
        pl.col("at").max().alias("last"),
    )
    return counted.sort("rows", "source", "rule", descending=[True, False, False])


def newly(found: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Of the rows that a check put aside those that are not open yet: a bad row delivered again is listed once."""
    return found.join(stored.select("id").unique(), on="id", how="anti", maintain_order="left")


def gone(found: pl.DataFrame, stored: pl.DataFrame) -> list[str]:
    """The ids of open rows that a whole reading did not put aside again."""
    return (
        stored.join(found.select("id"), on="id", how="anti", maintain_order="left")["id"]
        .unique(maintain_order=True)
        .to_list()
    )


def settled(ids: Collection[str], *, how: str, by: str, load: int | None, at: datetime) -> pl.DataFrame:
    """Rows for the table of settled rows: why each is open no more, since when."""
    given: dict[str, Any] = {"how": how, "by": by, "load": load, "at": at}
    frame = pl.DataFrame({"id": list(ids)}, schema={"id": pl.String})
    return frame.with_columns(pl.lit(value).alias(name) for name, value in given.items()).select(
        pl.col(name).cast(dtype) for name, dtype in SETTLED_SCHEMA.items()
    )


def readable(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that were read as rows; the others are raw text of files, which no check can take."""
    return rows.filter(pl.col("row").str.starts_with("{"))


def rows_of(rows: pl.DataFrame, table: TableContract) -> pl.DataFrame:
    """The rows themselves as a table that can be checked again, one per row and not per rule it broke.

    In the order of `distinct`. Columns of the contract come first, null where they were not delivered. Numbers are
    numbers and truth values such, times are text; a column that holds several kinds is text.
    """
    values = [msgspec.json.decode(text) for text in distinct(rows)["row"]]
    names = dict.fromkeys(
        [*(column.name for column in table.columns), *(name for row in values for name in row)]
    )
    return pl.DataFrame([_series(name, [row.get(name) for row in values]) for name in names])


def distinct(rows: pl.DataFrame) -> pl.DataFrame:
    """The readable rows, each once however many rules it broke, by load and place."""
    once = readable(rows).unique(["source", "load", "line", "row"], keep="first", maintain_order=True)
    return once.sort("load", "line", nulls_last=True, maintain_order=True)


def _series(name: str, values: Sequence[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or _SMALLEST <= value <= _LARGEST for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float} and all(_is_float(value) for value in values):
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _is_float(value: Any) -> bool:
    """Whether a float holds the number without loss."""
    return not isinstance(value, int) or abs(value) <= 2**53


def _text(value: Any) -> str | None:
    """The value as a file of text would hold it."""
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()

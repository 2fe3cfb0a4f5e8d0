"""Rows that were put aside, as rows of `facts.tables.QUARANTINE`."""

import hashlib
from datetime import datetime

import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.facts.tables import QUARANTINE

# 96 bits: among a billion rows, two that differ share an id once in 10^11 workspaces.
_ID_CHARACTERS = 24

LINES: dict[str, pl.DataType] = {
    "line": pl.Int64(),
    "rule": pl.String(),
    "expected": pl.String(),
    "received": pl.String(),
    "row": pl.String(),
}


def quarantine_rows(source: str, lines: pl.DataFrame, *, contract_version: str, at: datetime) -> pl.DataFrame:
    """`lines` (line, rule, expected, received, row) with where and when they were put aside; `load` is null."""
    schema = polars_schema(QUARANTINE)
    ids = [quarantine_id(source, rule, row) for rule, row in zip(lines["rule"], lines["row"], strict=True)]
    return lines.with_columns(
        pl.Series("id", ids, dtype=pl.String),
        pl.lit(source).alias("source"),
        pl.lit(contract_version).alias("contract_version"),
        pl.lit(None).alias("load"),
        pl.lit(at).alias("at"),
    ).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def quarantine_id(source: str, rule: str, row: str) -> str:
    """The name of a row put aside: the same row that breaks the same rule again has the same name."""
    digest = hashlib.sha256()
    for part in (source, rule, row):
        written = part.encode()
        digest.update(f"{len(written)}:".encode() + written)
    return digest.hexdigest()[:_ID_CHARACTERS]

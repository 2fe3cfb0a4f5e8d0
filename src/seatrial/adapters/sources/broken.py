"""What became of a file: its table, the lines that are no rows, or why nothing of it can be used."""

import json
from dataclasses import dataclass, field

import polars as pl

from seatrial.data.ports import UNREADABLE_SCHEMA


class Unreadable(Exception):
    """A file of which nothing can be used; its text says why. Whoever knows the file's name tells that too."""


@dataclass
class BrokenLines:
    """Lines that could not be read as rows, with what was expected of them."""

    rows: list[tuple[int, str, str, str, str]] = field(default_factory=list)

    def add(self, line: int, rule: str, expected: str, received: str, raw: bytes, encoding: str) -> None:
        """Put a line aside; `line` counts from 1, as editors do. Bytes outside the encoding are kept escaped."""
        text = raw.rstrip(b"\r\n").decode(encoding, "backslashreplace")
        self.rows.append((line, rule, expected, received, json.dumps(text)))

    def frame(self) -> pl.DataFrame:
        """The lines in the columns of UNREADABLE_SCHEMA."""
        return pl.DataFrame(self.rows, schema=UNREADABLE_SCHEMA, orient="row")


@dataclass(frozen=True)
class Table:
    """The rows of one file, and its lines that are none."""

    frame: pl.DataFrame
    unreadable: pl.DataFrame = field(default_factory=lambda: BrokenLines().frame())

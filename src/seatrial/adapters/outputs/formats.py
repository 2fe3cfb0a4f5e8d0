"""Answers as files of one format, and such files joined to one, a part at a time."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs

# How names end, the first of each format being the one that parts are given.
ENDINGS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
}
_BUFFER = 2**20


def ending_of(kind: str) -> str:
    """How the names of a format's files end."""
    return next(ending for ending, known in ENDINGS.items() if known == kind)


def write(frame: pl.DataFrame, kind: str, file: Path) -> None:
    """The frame as a file; in text, times are as in 2025-01-31T06:00:00.000000Z."""
    _WRITERS[kind](frame, file)


def join(parts: Sequence[Path], kind: str, file: Path) -> None:
    """One file with the rows of all parts, in order; there is at least one."""
    if kind == "parquet":
        pl.scan_parquet(list(parts)).sink_parquet(file)
    elif kind == "arrow":
        pl.scan_ipc(list(parts)).sink_ipc(file)
    else:
        join_text(parts, file, heading=kind == "csv")


def join_text(parts: Sequence[Path], file: Path, *, heading: bool) -> None:
    """One file with the lines of all parts, in order; with `heading`, the first line of the first part alone."""
    with file.open("wb") as whole:
        for number, part in enumerate(parts):
            with part.open("rb") as opened:
                if heading and number:
                    opened.readline()
                shutil.copyfileobj(opened, whole, _BUFFER)


def count_answers(file: Path, kind: str) -> tuple[int, int]:
    """How many answers a part holds, and how many of them are by the fallback."""
    if not file.stat().st_size:
        return 0, 0  # JSON lines without a line
    rows = _SCANNERS[kind](file).select(pl.len(), pl.col("fallback").count())
    answered, fallbacks = rows.collect().row(0)
    return answered, fallbacks


def count_lines(file: Path) -> int:
    """How many lines a file has."""
    with file.open("rb") as opened:
        return sum(1 for _ in opened)


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))


_WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "parquet": lambda frame, file: frame.write_parquet(file),
    "csv": lambda frame, file: _plain(frame).write_csv(file),
    "jsonl": lambda frame, file: _plain(frame).write_ndjson(file),
    "arrow": lambda frame, file: frame.write_ipc(file),
}

_SCANNERS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    "parquet": pl.scan_parquet,
    "csv": lambda file: pl.scan_csv(file, infer_schema=False),
    "jsonl": lambda file: pl.scan_ndjson(file, infer_schema_length=None),
    "arrow": pl.scan_ipc,
}

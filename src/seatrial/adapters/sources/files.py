"""Tables in files: CSV, Parquet, JSON lines and Arrow IPC; one file or a glob."""

from collections.abc import Callable
from glob import glob
from pathlib import Path

import polars as pl

from seatrial.errors import SourceFailed
from seatrial.product.schema import Source

MISSING_WORDS = ["", "NA"]


def _read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, null_values=MISSING_WORDS, try_parse_dates=True, infer_schema_length=None)


def _read_ipc(path: Path) -> pl.DataFrame:
    return pl.read_ipc(path)


def _read_json_lines(path: Path) -> pl.DataFrame:
    return pl.read_ndjson(path, infer_schema_length=None)


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": _read_csv,
    ".parquet": pl.read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".arrow": _read_ipc,
    ".ipc": _read_ipc,
    ".feather": _read_ipc,
}


class FileSource:
    """Reads `path` of a source. Files of a glob are read in the order of their names and stacked."""

    def read(self, name: str, source: Source, folder: Path | None) -> pl.DataFrame:
        """The rows of all files. Raises SourceFailed when there is none, or their columns differ."""
        paths = _paths(name, str(source.path), folder)
        frames = [(path, read_table(path, name)) for path in paths]
        first = frames[0][1]
        for path, frame in frames:
            if set(frame.columns) != set(first.columns):
                differing = ", ".join(sorted(set(frame.columns) ^ set(first.columns)))
                raise SourceFailed(f"source {name}: {path} and {paths[0]} differ in the columns {differing}")
        return pl.concat([frame.select(first.columns) for _, frame in frames], how="vertical_relaxed")


def read_table(path: Path, name: str = "table") -> pl.DataFrame:
    """The table in one file, by its ending. Raises SourceFailed for an unknown ending or a file that is broken."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SourceFailed(f"source {name}: cannot read {path}; its name must end in {', '.join(READERS)}")
    try:
        return reader(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceFailed(f"source {name}: cannot read {path}: {error}") from error


def _paths(name: str, pattern: str, folder: Path | None) -> list[Path]:
    if folder is None and not Path(pattern).is_absolute():
        raise SourceFailed(
            f"source {name}: {pattern} is relative, and this product was read without its folder"
        )
    place = str((folder or Path()) / pattern)
    found = sorted(Path(path) for path in glob(place, recursive=True))  # noqa: PTH207 - takes absolute patterns
    if not found:
        raise SourceFailed(f"source {name}: no file at {place}")
    return found

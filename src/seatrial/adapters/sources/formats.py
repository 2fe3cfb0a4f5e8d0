"""Tables in files, by format: CSV, JSON lines, Parquet, Arrow."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import polars as pl

from seatrial.adapters.sources.broken import BrokenLines, Table, Unreadable
from seatrial.adapters.sources.csv_text import read_csv
from seatrial.product.schema import CsvFormat

FORMATS = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
}
_ARROW_FILE_MARK = b"ARROW1"


def format_of(path: str, given: str | None) -> str:
    """The format of a file: the one given, else the one its name ends in. Raises Unreadable for another ending."""
    ending = Path(path).suffix.lower()
    if given is None and ending not in FORMATS:
        raise Unreadable(f"its name must end in {', '.join(FORMATS)}, or the source say its `format`")
    return given or FORMATS[ending]


def read_file(file: Path, kind: str, written: CsvFormat) -> Table:
    """The rows of a file, and its lines that are no rows. Raises Unreadable when nothing in it can be used."""
    if not file.stat().st_size:
        # Taken for a table without rows, it would empty the source; an upload that has just begun looks the same.
        raise Unreadable("it is empty (0 bytes), not even a header is there; deliver it again or remove it")
    if kind == "csv":
        return read_csv(file, written)
    if kind == "jsonl":
        return _read_json_lines(file)
    try:
        return Table(_BINARY[kind](file))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Unreadable(str(error)) from error


def scan_binary(file: Path, kind: str) -> pl.LazyFrame | None:
    """The rows of a Parquet or Arrow file, read when they are asked for; None for a stream, which has no index."""
    if kind == "parquet":
        return pl.scan_parquet(file)
    return pl.scan_ipc(file) if _is_arrow_file(file) else None


def _is_arrow_file(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(_ARROW_FILE_MARK)) == _ARROW_FILE_MARK


def _read_arrow(file: Path) -> pl.DataFrame:
    # Opened here, so that Polars reads and does not map: who replaces the file later must not change what was read.
    with file.open("rb") as opened:
        return pl.read_ipc(opened) if _is_arrow_file(file) else pl.read_ipc_stream(opened)


_BINARY: dict[str, Callable[[Path], pl.DataFrame]] = {"parquet": pl.read_parquet, "arrow": _read_arrow}


def _read_json_lines(file: Path) -> Table:
    try:
        return Table(pl.read_ndjson(file, infer_schema_length=None))
    except pl.exceptions.PolarsError:
        return _json_line_by_line(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))


def _json_line_by_line(content: bytes) -> Table:
    sound, broken = [], BrokenLines()
    for number, line in enumerate(content.split(b"\n"), 1):
        fault = _json_fault(line)
        if fault is not None:
            broken.add(number, *fault, line, "utf-8")
        elif line.strip():
            sound.append(line)
    if not sound:
        raise Unreadable(f"none of its {len(broken.rows)} lines is a JSON object")
    try:
        return Table(pl.read_ndjson(b"\n".join(sound), infer_schema_length=None), broken.frame())
    except pl.exceptions.PolarsError as error:
        raise Unreadable(str(error)) from error


def _json_fault(line: bytes) -> tuple[str, str, str] | None:
    try:
        found = msgspec.json.decode(line.decode()) if line.strip() else {}
    except UnicodeDecodeError as error:
        return (
            "file.encoding",
            "text in utf-8",
            f"byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line",
        )
    except msgspec.DecodeError as error:
        return "file.json", "a JSON object", str(error)
    if not isinstance(found, dict):
        return "file.json", "a JSON object", f"a JSON {type(found).__name__}"
    return None

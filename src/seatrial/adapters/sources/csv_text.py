"""CSV files: fast where they are sound; line by line where they are not, so that only broken lines are put aside."""

import codecs
import csv
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from seatrial.adapters.sources.broken import Table, Unreadable
from seatrial.adapters.sources.csv_lines import is_ragged, may_hold_codes, sound_lines
from seatrial.product.schema import CsvFormat

_HEADER_BYTES = 2**20
_BYTE_ORDER_MARK = "\ufeff"


def read_csv(file: Path, written: CsvFormat) -> Table:
    """The rows of a CSV file, and its lines that are no rows. Raises Unreadable when nothing in it can be used."""
    header = _header(file, written)
    source = file if _is_utf8(written) else _as_utf8(file.read_bytes(), written.encoding)
    try:
        frame = None if source is None else _parse(source, written)
    except pl.exceptions.PolarsError:
        frame = None
    if frame is None or frame.columns != header or _may_be_ragged(frame, source, written):
        return _line_by_line(file, header, written)
    return Table(frame)


def _header(file: Path, written: CsvFormat) -> list[str]:
    with file.open("rb") as opened:
        start = opened.read(_HEADER_BYTES).decode(written.encoding, "surrogateescape")
    names = next(
        csv.reader(StringIO(start.removeprefix(_BYTE_ORDER_MARK), newline=""), delimiter=written.separator),
        [],
    )
    if not any(names):
        raise Unreadable("it has no header line, so its columns have no names")
    if any("\udc80" <= letter <= "\udcff" for name in names for letter in name):
        raise Unreadable(f"its header is not in {written.encoding}; set csv.encoding to what it is in")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise Unreadable(f"its header names {', '.join(repeated)} more than once")
    return names


def _is_utf8(written: CsvFormat) -> bool:
    return codecs.lookup(written.encoding).name in {"utf-8", "ascii", "utf-8-sig"}


def _as_utf8(content: bytes, encoding: str) -> bytes | None:
    """The content in UTF-8, or None when a part of it is in another encoding."""
    try:
        return content.decode(encoding).removeprefix(_BYTE_ORDER_MARK).encode()
    except UnicodeDecodeError:
        return None


def _parse(source: Path | bytes, written: CsvFormat) -> pl.DataFrame:
    frame = _polars(source, written, try_parse_dates=True, infer_schema_length=None)
    integers = frame.select(cs.integer()).columns
    if not integers or not may_hold_codes(source, ord(written.separator)):
        return frame
    # 007 is a code, not the number 7; a contract that asks for numbers reads them from the text all the same.
    texts = _polars(source, written, columns=integers, schema_overrides=dict.fromkeys(integers, pl.String()))
    codes = [one.name for one in texts.iter_columns() if one.str.contains(r"^0[0-9]").any()]
    return frame.with_columns(texts.select(codes))


def _polars(source: Path | bytes, written: CsvFormat, **options: Any) -> pl.DataFrame:
    return pl.read_csv(source, separator=written.separator, null_values=list(written.missing), **options)


def _may_be_ragged(frame: pl.DataFrame, source: Path | bytes | None, written: CsvFormat) -> bool:
    # Polars refuses lines that are too long and fills up those that are too short without a word: then the last
    # column has no value there. Only where it misses some are the separators counted.
    if source is None or not frame.height or not frame[frame.columns[-1]].null_count():
        return False
    return is_ragged(source, ord(written.separator), frame.width)


def _line_by_line(file: Path, header: list[str], written: CsvFormat) -> Table:
    lines, broken = sound_lines(file.read_bytes(), written, len(header))
    if not lines and broken.rows:
        expected, received = broken.rows[0][2:4]
        raise Unreadable(f"none of its lines is a row; the first: expected {expected}, received {received}")
    text = StringIO()
    csv.writer(text, lineterminator="\n", delimiter=written.separator).writerow(header)
    try:
        frame = _parse(text.getvalue().encode() + b"".join(lines), written)
    except pl.exceptions.PolarsError as error:
        raise Unreadable(str(error)) from error
    return Table(frame, broken.frame())

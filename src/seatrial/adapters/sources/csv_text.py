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
_FIRST_ROWS = 10_000
_FEW_ROWS = 1_000
_FEW_TEXTS = 100
_PART_BYTES = 16 * 2**20
_CODE = "^0[0-9]"
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


def scan_csv(file: Path, written: CsvFormat) -> pl.LazyFrame | None:
    """The rows of a CSV file, read when they are asked for, in the types that `read_csv` finds.

    None where it is not sound text in UTF-8: then only `read_csv` tells its rows from its broken lines. The file
    is read for that, a part at a time.
    """
    header = _header(file, written)
    if not _is_utf8(written) or not _is_sound(file, ord(written.separator), len(header)):
        return None
    types = _types(file, written)
    if list(types) != header:
        return None
    codes = _codes(file, written, [name for name, kind in types.items() if kind.is_integer()])
    return _scan(file, written, schema=pl.Schema({**types, **dict.fromkeys(codes, pl.String())}))


def _is_sound(file: Path, separator: int, width: int) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as opened:
        try:
            while part := opened.read(_PART_BYTES):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return not is_ragged(file, separator, width)


def _types(file: Path, written: CsvFormat) -> pl.Schema:
    """The types that hold for every row: those of the first rows where all others agree, which is found far faster."""
    first = _scan(file, written, try_parse_dates=True, infer_schema_length=_FIRST_ROWS).collect_schema()
    if _agree(file, written, first):
        return first
    return _scan(file, written, try_parse_dates=True, infer_schema_length=None).collect_schema()


def _agree(file: Path, written: CsvFormat, types: pl.Schema) -> bool:
    texts = _scan(file, written, infer_schema=False)
    start = texts.head(_FIRST_ROWS).select(pl.len(), pl.all().null_count().name.prefix("no:")).collect()
    if start.height and max(start.row(0)[1:]) == start.item(0, 0):
        return False  # a column of which the first rows say nothing
    try:
        text, typed = (_missing(rows) for rows in (texts, _scan(file, written, schema=types)))
    except pl.exceptions.PolarsError:
        return False
    kinds = zip(types.values(), text, typed, strict=True)
    return all(before == after for kind, before, after in kinds if kind != pl.String)


def _missing(rows: pl.LazyFrame) -> tuple[int, ...]:
    return rows.select(pl.all().null_count()).collect(engine="streaming").row(0)


def _codes(file: Path, written: CsvFormat, integers: list[str]) -> list[str]:
    """Those of the columns in which a value begins with 0 and goes on, as in 007."""
    if not integers or not may_hold_codes(file, ord(written.separator)):
        return []
    texts = _scan(file, written, infer_schema=False).select(pl.col(integers).str.contains(_CODE).any())
    return [name for name, found in texts.collect(engine="streaming").row(0, named=True).items() if found]


def _scan(file: Path, written: CsvFormat, **options: Any) -> pl.LazyFrame:
    return pl.scan_csv(file, separator=written.separator, null_values=list(written.missing), **options)


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
    frame = _at_once(source, written)
    if frame is None:
        frame = _with_times(_numbers_and_texts(source, written), source, written)
    integers = frame.select(cs.integer()).columns
    if not integers or not may_hold_codes(source, ord(written.separator)):
        return frame
    # 007 is a code, not the number 7; a contract that asks for numbers reads them from the text all the same.
    texts = _polars(source, written, columns=integers, schema_overrides=dict.fromkeys(integers, pl.String()))
    codes = [one.name for one in texts.iter_columns() if one.str.contains(_CODE).any()]
    return frame.with_columns(texts.select(codes))


def _at_once(source: Path | bytes, written: CsvFormat) -> pl.DataFrame | None:
    """The rows in the types of the first ones; None where others do not agree, or the first say nothing."""
    try:
        start = _polars(source, written, n_rows=_FEW_ROWS, infer_schema_length=_FEW_ROWS).select(cs.string())
        if any(one.null_count() == len(one) for one in start):
            return None
        kinds = {one.name: kind for one in start if (kind := _kind_of_times(one)) is not None}
        return _polars(source, written, infer_schema_length=_FEW_ROWS, schema_overrides=kinds)
    except pl.exceptions.PolarsError:
        return None


def _numbers_and_texts(source: Path | bytes, written: CsvFormat) -> pl.DataFrame:
    """The rows in the types that hold for all of them, found in the first ones where the others agree."""
    try:
        frame = _polars(source, written, infer_schema_length=_FEW_ROWS)
    except pl.exceptions.PolarsError:
        return _polars(source, written, infer_schema_length=None)
    texts = frame.select(cs.string())
    begins_late = [one for one in texts.head(_FEW_ROWS).iter_columns() if one.null_count() == len(one)]
    if any(frame[one.name].count() for one in begins_late):
        return _polars(source, written, infer_schema_length=None)
    return frame


def _with_times(frame: pl.DataFrame, source: Path | bytes, written: CsvFormat) -> pl.DataFrame:
    """The rows with those texts read as days and times that all are such."""
    kinds = {one.name: kind for one in frame.select(cs.string()) if (kind := _kind_of_times(one)) is not None}
    if not kinds:
        return frame
    try:
        read = _polars(source, written, columns=list(kinds), schema_overrides=kinds)
        return frame.with_columns(one for one in read if one.null_count() == frame[one.name].null_count())
    except pl.exceptions.PolarsError:
        # One of them cannot be read as what its first texts are; alone, the others can.
        found = [_read_alone(source, written, name, kind) for name, kind in kinds.items()]
        sound = [one for one in found if one.null_count() == frame[one.name].null_count()]
        return frame.with_columns(sound)


def _kind_of_times(texts: pl.Series) -> pl.DataType | None:
    """The type of day or time that the first texts of a column have; None where they are other texts."""
    first = pl.DataFrame(texts.drop_nulls().head(_FEW_TEXTS))
    if not first.height or not first.item(0, 0)[:1].isdigit():
        return None
    try:
        [kind] = pl.read_csv(
            first.write_csv().encode(), try_parse_dates=True, infer_schema_length=None
        ).dtypes
    except pl.exceptions.PolarsError:
        return None
    return kind if kind.is_temporal() else None


def _read_alone(source: Path | bytes, written: CsvFormat, name: str, kind: pl.DataType) -> pl.Series:
    """The column as times; as text where it is none."""
    try:
        return _polars(source, written, columns=[name], schema_overrides={name: kind})[name]
    except pl.exceptions.PolarsError:
        return _polars(source, written, columns=[name], schema_overrides={name: pl.String()})[name]


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

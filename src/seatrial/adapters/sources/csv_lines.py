"""Lines of CSV text: whether all have their fields, and which of them are rows."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seatrial.adapters.sources.broken import BrokenLines, Unreadable
from seatrial.product.schema import CsvFormat

_CHUNK_BYTES = 16 * 2**20
# A quote that is still open after so many lines was never meant to span them.
_LINES_PER_ROW = 200
_QUOTE, _NEWLINE = ord('"'), ord("\n")


def is_ragged(source: Path | bytes, separator: int, width: int) -> bool:
    """Whether some line of a CSV text that Polars accepted has not `width` fields, an empty line included."""
    if width == 1:
        return False
    expected, left, inside = width - 1, 0, False
    last = _NEWLINE
    for chunk in _chunks(source):
        counts, left, inside = _separators(chunk, separator, left, inside)
        if (counts != expected).any():
            return True
        last = int(chunk[-1])
    return last != _NEWLINE and left != expected


def may_hold_codes(source: Path | bytes, separator: int) -> bool:
    """Whether some field of a CSV text begins with 0 and another digit, as codes do; times of day do too."""
    before = np.frombuffer(b"\n\n", np.uint8)
    for chunk in _chunks(source):
        text = np.concatenate([before, chunk])
        begins = (text[:-2] == separator) | (text[:-2] == _NEWLINE) | (text[:-2] == _QUOTE)
        digit = (text[2:] >= ord("0")) & (text[2:] <= ord("9"))
        if (begins & (text[1:-1] == ord("0")) & digit).any():
            return True
        before = text[-2:]
    return False


def _chunks(source: Path | bytes) -> Iterator[npt.NDArray[np.uint8]]:
    if isinstance(source, bytes):
        for start in range(0, len(source), _CHUNK_BYTES):
            yield np.frombuffer(source, np.uint8)[start : start + _CHUNK_BYTES]
        return
    with source.open("rb") as opened:
        while part := opened.read(_CHUNK_BYTES):
            yield np.frombuffer(part, np.uint8)


def _separators(
    chunk: npt.NDArray[np.uint8], separator: int, before: int, inside: bool
) -> tuple[npt.NDArray[np.int64], int, bool]:
    """The separators of each line that ends in the chunk, those of the unfinished one, and whether a quote is open."""
    marks = (chunk == separator) | (chunk == _NEWLINE)
    quotes = chunk == _QUOTE
    if inside or quotes.any():
        # Even and odd counts tell outside from inside; a doubled quote inside counts twice and changes nothing.
        quoted = (np.cumsum(quotes, dtype=np.uint8) + np.uint8(inside)) & 1
        marks &= quoted == 0
        inside = bool(quoted[-1])
    found = chunk[marks]
    ends = np.flatnonzero(found == _NEWLINE)
    if not len(ends):
        return np.zeros(0, np.int64), before + len(found), inside
    counts = np.diff(ends, prepend=-1) - 1
    counts[0] += before
    return counts, len(found) - int(ends[-1]) - 1, inside


@dataclass(frozen=True)
class _Row:
    """What begins at a line: how many lines it takes, and its text or what is wrong (rule, expected, received)."""

    height: int
    text: bytes = b""
    fault: tuple[str, str, str] | None = None


def sound_lines(content: bytes, written: CsvFormat, width: int) -> tuple[list[bytes], BrokenLines]:
    """The rows below the header as lines of UTF-8, each with its `width` fields; and the lines that are no rows.

    A quote that is never closed costs its own line only: reading goes on with the next.
    """
    content, encoding = _splittable(content, written.encoding)
    lines = _physical_lines(content)
    sound: list[bytes] = []
    broken = BrokenLines()
    at = _row(lines, 0, encoding, written.separator, None).height
    while at < len(lines):
        row = _row(lines, at, encoding, written.separator, width)
        if row.fault is not None:
            broken.add(at + 1, *row.fault, b"".join(lines[at : at + row.height]), encoding)
        elif row.text:
            sound.append(row.text)
        at += row.height
    return sound, broken


def _splittable(content: bytes, encoding: str) -> tuple[bytes, str]:
    """Text whose lines can be told apart before they are decoded."""
    try:
        return content.decode(encoding).removeprefix("\ufeff").encode(), "utf-8"
    except UnicodeDecodeError as error:
        if "\n".encode(encoding) != b"\n":
            raise Unreadable(f"it is not in {encoding}: {error.reason}") from error
        return content, encoding


def _physical_lines(content: bytes) -> list[bytes]:
    if b"\n" in content:
        return [line + b"\n" for line in content.removesuffix(b"\n").split(b"\n")]
    return [line + b"\n" for line in content.removesuffix(b"\r").split(b"\r")]


def _row(lines: list[bytes], at: int, encoding: str, separator: str, width: int | None) -> _Row:
    raw = lines[at].rstrip(b"\r\n")
    if not raw and width != 1:
        return _Row(1)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        received = f"byte 0x{raw[error.start]:02x} at byte {error.start + 1} of the line"
        return _Row(1, fault=("file.encoding", f"text in {encoding}", received))
    if '"' in text:
        return _quoted_row(lines, at, encoding, separator, width)
    return _judged(text, text.count(separator) + 1, width, 1)


def _quoted_row(lines: list[bytes], at: int, encoding: str, separator: str, width: int | None) -> _Row:
    text = ""
    for height, line in enumerate(lines[at : at + _LINES_PER_ROW], 1):
        text += line.decode(encoding, "backslashreplace")
        if height > 1 and '"' not in text[-len(line) :]:
            continue
        try:
            fields = next(csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                continue
            return _Row(1, fault=("file.ragged", "fields quoted whole, quotes inside doubled", str(error)))
        return _judged(_written(fields, separator), len(fields), width, height)
    return _Row(1, fault=("file.ragged", "a closing quote", "a quote that is never closed"))


def _judged(text: str, fields: int, width: int | None, height: int) -> _Row:
    if width is not None and fields != width:
        return _Row(height, fault=("file.ragged", f"{width} fields, as in the header", f"{fields} fields"))
    return _Row(height, text.rstrip("\r\n").encode() + b"\n")


def _written(fields: list[str], separator: str) -> str:
    # Written anew, for Polars refuses quotes that stand inside a field undoubled.
    text = StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerow(fields)
    return text.getvalue()

"""Files as one table that is read a batch at a time, so that it need not fit in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.broken import BrokenLines
from seatrial.adapters.sources.csv_text import scan_csv
from seatrial.adapters.sources.files import placed
from seatrial.adapters.sources.formats import format_of, read_file, scan_binary
from seatrial.adapters.sources.found import Found
from seatrial.adapters.sources.places import find_files, may_pass
from seatrial.contract.zones import in_zone
from seatrial.data.reading import common_type
from seatrial.product.schema import CsvFormat


@dataclass(frozen=True)
class Scannable:
    """`rows` of all `places` in their order, read when they are asked for; `unreadable` lines of theirs are no rows.

    `unreadable` has the columns of data.ports.UNREADABLE_SCHEMA.
    """

    rows: pl.LazyFrame
    unreadable: pl.DataFrame
    places: tuple[str, ...]


@contextmanager
def scannable(asked: Asked) -> Iterator[Scannable]:
    """The files at a source's `path`; those that are fetched from elsewhere lie on disk until the end.

    Column types are those that reading the files whole would find. What cannot be read a batch at a time is read
    whole: text with broken lines or in other encodings than UTF-8, and Arrow streams. Raises SourceFailed when
    there is no file, one cannot be read, or the files differ in their columns.
    """
    with TemporaryDirectory(prefix="seatrial-") as folder:
        frames, unreadable, places = [], [BrokenLines().frame()], []
        for number, file in enumerate(find_files(asked)):
            spare = Path(folder) / str(number)
            spare.mkdir()
            rows, broken = _brought(asked, file, spare)
            frames.append(rows)
            unreadable.append(broken)
            places.append(file.place)
        rows = _stacked(asked, frames, places)
        yield Scannable(_zoned(asked, rows), pl.concat(unreadable), tuple(places))


@contextmanager
def opened(asked: Asked, file: Found) -> Iterator[Scannable]:
    """One of the files that `find_files` told, as `scannable` gives them. Raises SourceFailed when it is unreadable."""
    with TemporaryDirectory(prefix="seatrial-") as folder:
        rows, broken = _brought(asked, file, Path(folder))
        yield Scannable(_zoned(asked, rows), broken, (file.place,))


def _brought(asked: Asked, file: Found, folder: Path) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """The file's rows and its lines that are none, from where it lies or from a copy in the folder."""
    with asked.telling(f"cannot read {file.place}"):
        kind = format_of(file.place, asked.source.format)
        local = asked.retries.call(partial(file.fetch, folder), may_pass)
        rows, broken = _scanned(local, kind, asked.source.csv)
        rows.collect_schema()
    return rows, placed(broken, file.place)


def _zoned(asked: Asked, rows: pl.LazyFrame) -> pl.LazyFrame:
    zone = asked.source.timezone
    return in_zone(rows, zone) if zone else rows


def _scanned(file: Path, kind: str, written: CsvFormat) -> tuple[pl.LazyFrame, pl.DataFrame]:
    rows = None
    if file.stat().st_size:
        rows = _TEXT[kind](file, written) if kind in _TEXT else scan_binary(file, kind)
    if rows is not None:
        return rows, BrokenLines().frame()
    whole = read_file(file, kind, written)
    return whole.frame.lazy(), whole.unreadable


def _scan_json_lines(file: Path, _: CsvFormat) -> pl.LazyFrame | None:
    """The rows, or None where a line is none."""
    rows = pl.scan_ndjson(file, infer_schema_length=None)
    try:
        # Read once for nothing: a broken line in the middle is found here, and not when half is checked.
        rows.select(pl.all().null_count()).collect(engine="streaming")
    except pl.exceptions.PolarsError:
        return None
    return rows


_TEXT = {"csv": scan_csv, "jsonl": _scan_json_lines}


def _stacked(asked: Asked, frames: Sequence[pl.LazyFrame], places: Sequence[str]) -> pl.LazyFrame:
    schemas = [frame.collect_schema() for frame in frames]
    for schema, place in zip(schemas, places, strict=True):
        if differing := sorted(set(schema) ^ set(schemas[0])):
            raise asked.failed(f"{place} and {places[0]} differ in the columns {', '.join(differing)}")
    types = {name: _common_type(name, frames, schemas) for name in schemas[0]}
    return pl.concat([frame.select(list(types)).cast(pl.Schema(types)) for frame in frames])


def _common_type(name: str, frames: Sequence[pl.LazyFrame], schemas: Sequence[pl.Schema]) -> pl.DataType:
    kinds = [schema[name] for schema in schemas]
    if len(set(kinds)) == 1:
        return kinds[0]
    # A column without values has no say.
    counts = [frame.select(pl.col(name).count()).collect(engine="streaming").item() for frame in frames]
    return common_type([kind for kind, count in zip(kinds, counts, strict=True) if count] or kinds)

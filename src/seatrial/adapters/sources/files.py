"""Tables in files: what is new since the last reading, file by file."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.broken import Table
from seatrial.adapters.sources.formats import format_of, read_file
from seatrial.adapters.sources.found import Found
from seatrial.adapters.sources.places import find_files, may_pass
from seatrial.data.ports import Delivery


class FileSource:
    """Reads `path` of a source, one delivery per file, in the order of their names.

    The position is the files that were read with their stamps. New files are delivered alone; when one that was
    read before has changed or is gone, all are delivered again, as a whole.
    """

    def read(self, asked: Asked) -> Iterator[Delivery]:
        found = find_files(asked)
        before = _files_before(asked)
        stamps = {file.place: file.stamp for file in found}
        whole = before is None or any(stamps.get(place) != stamp for place, stamp in before.items())
        read = {} if whole or before is None else dict(before)
        columns = None if whole or asked.since is None else asked.since["columns"]
        first = None
        for file in found:
            if file.place in read:
                continue
            table = _table(asked, file)
            columns, first = columns or table.frame.columns, first or file.place
            _check_columns(asked, file.place, table.frame.columns, columns, first)
            read[file.place] = file.stamp
            yield Delivery(
                frame=table.frame.select(columns),
                position={"files": dict(read), "columns": columns},
                whole=whole,
                origin=file.place,
                unreadable=placed(table.unreadable, file.place),
            )


def _files_before(asked: Asked) -> Mapping[str, str] | None:
    return None if asked.since is None else asked.since.get("files")


def _table(asked: Asked, file: Found) -> Table:
    with asked.telling(f"cannot read {file.place}"), TemporaryDirectory(prefix="seatrial-") as folder:
        kind = format_of(file.place, asked.source.format)
        local = asked.retries.call(lambda: file.fetch(Path(folder)), may_pass)
        return read_file(local, kind, asked.source.csv)


def _check_columns(asked: Asked, place: str, now: Sequence[str], before: Sequence[str], first: str) -> None:
    if set(now) == set(before):
        return
    new, gone = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    other = "those read before" if place == first else first
    renamed = [f"; was {old} renamed to {name}?" for old in gone if (name := _renamed(old, new, gone))]
    differing = ", ".join(sorted([*new, *gone]))
    raise asked.failed(f"{place} and {other} differ in the columns {differing}{''.join(renamed)}")


def _renamed(old: str, new: Sequence[str], gone: Sequence[str]) -> str | None:
    """What a column may be called now: the most similar new name, or the only one."""
    close = get_close_matches(old, new, n=1, cutoff=0.5)
    if close:
        return close[0]
    return new[0] if len(new) == len(gone) == 1 else None


def placed(unreadable: pl.DataFrame, place: str) -> pl.DataFrame:
    """The lines with the file's place in what they held."""
    return unreadable.with_columns(pl.format("{} (in {})", "received", pl.lit(place)).alias("received"))

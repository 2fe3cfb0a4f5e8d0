"""The files of a batch scoring run, read a batch at a time."""

from collections.abc import Iterator, Sequence

import polars as pl

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.found import Found
from seatrial.adapters.sources.places import find_files
from seatrial.adapters.sources.scanning import opened
from seatrial.cycle.scoring_chunks import Piece
from seatrial.facts.scoring_run import InputFile, Mark


class FileBatches:
    """The files at several places, in the order of places and names; a file that two places name comes once.

    At most one file that lies elsewhere is on this machine's disk at a time.
    """

    def __init__(self, places: Sequence[Asked]) -> None:
        self._places = places

    def files(self) -> tuple[InputFile, ...]:
        """What is there now. Raises SourceFailed when there is no file at one of the places."""
        return tuple(InputFile(place=file.place, stamp=file.stamp) for _, file in self._found())

    def pieces(self, start: Mark, rows: int) -> Iterator[Piece]:
        """The files' rows after `start`. Raises SourceFailed for a file that cannot be read, or goes meanwhile."""
        for number, (asked, file) in enumerate(self._found()):
            if number >= start.file:
                yield from _pieces(asked, file, number, start.rows if number == start.file else -1, rows)

    def _found(self) -> list[tuple[Asked, Found]]:
        found = {file.place: (asked, file) for asked in self._places for file in find_files(asked)}
        return list(found.values())


def _pieces(asked: Asked, file: Found, number: int, done: int, rows: int) -> Iterator[Piece]:
    with opened(asked, file) as scanned:
        if done < 0 and scanned.unreadable.height:
            yield Piece(number, file.place, 0, pl.DataFrame(), scanned.unreadable)
        first = max(0, done)
        for batch in _batches(asked, file, scanned.rows.slice(first), rows):
            yield Piece(number, file.place, first, batch)
            first += batch.height


def _batches(asked: Asked, file: Found, scan: pl.LazyFrame, rows: int) -> Iterator[pl.DataFrame]:
    with asked.telling(f"cannot read {file.place}"):
        batches = iter(scan.collect_batches(chunk_size=rows, maintain_order=True))
    while True:
        with asked.telling(f"cannot read {file.place}"):
            batch = next(batches, None)
        if batch is None:
            return
        if batch.height:
            yield batch

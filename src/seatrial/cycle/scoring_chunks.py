"""Files to score, cut into chunks of equal size that are the same whenever they are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from seatrial.facts.scoring_run import InputFile, Mark


@dataclass(frozen=True)
class Piece:
    """Rows of file number `file` from its row `first` on, in the columns of the file.

    The first piece of a file may hold lines that are no rows (columns of data.ports.UNREADABLE_SCHEMA) instead.
    """

    file: int
    place: str
    first: int
    rows: pl.DataFrame
    unreadable: pl.DataFrame | None = None

    @property
    def end(self) -> Mark:
        """Where reading goes on after it."""
        return Mark(file=self.file, rows=self.first + self.rows.height)

    def cut(self, rows: int) -> tuple["Piece", "Piece"]:
        """Its first rows, and the others."""
        rest = Piece(self.file, self.place, self.first + rows, self.rows[rows:])
        return Piece(self.file, self.place, self.first, self.rows[:rows], self.unreadable), rest


class ScoringInputs(Protocol):
    """The files of a run, in a fixed order."""

    def files(self) -> tuple[InputFile, ...]:
        """What is there now, with stamps. Raises SourceFailed when nothing is."""
        ...

    def pieces(self, start: Mark, rows: int) -> Iterator[Piece]:
        """Everything after `start`, at most that many rows at a time. Raises SourceFailed when a file is unreadable."""
        ...


@dataclass(frozen=True)
class Chunk:
    """Part `number` of a run: its pieces, of which the first row is `first_row` of all rows of the run."""

    number: int
    first_row: int
    pieces: Sequence[Piece]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(piece.rows.height for piece in self.pieces)

    @property
    def end(self) -> Mark:
        """Where reading goes on after it."""
        return self.pieces[-1].end


@dataclass
class _Growing:
    """A chunk that takes in pieces until it is full."""

    size: int
    number: int
    first_row: int
    pieces: list[Piece] = field(default_factory=list)
    held: int = 0

    def take(self, piece: Piece) -> Iterator[Chunk]:
        """The chunks that are full with it; what is left of it is held."""
        while self.held + piece.rows.height >= self.size:
            head, piece = piece.cut(self.size - self.held)
            self.pieces.append(head)
            yield self.full()
        if piece.rows.height or piece.unreadable is not None:
            self.pieces.append(piece)
            self.held += piece.rows.height

    def full(self) -> Chunk:
        """What is held as a chunk; from here on the next one is held."""
        chunk = Chunk(self.number, self.first_row, self.pieces)
        self.number, self.first_row = self.number + 1, self.first_row + chunk.rows
        self.pieces, self.held = [], 0
        return chunk


def chunks(inputs: ScoringInputs, size: int, *, number: int, first_row: int, start: Mark) -> Iterator[Chunk]:
    """The chunks from `number` on, which begins at `start`: `size` rows each, the last one fewer.

    At most two chunks' rows are held at a time.
    """
    growing = _Growing(size, number, first_row)
    for piece in inputs.pieces(start, size):
        yield from growing.take(piece)
    if growing.pieces:
        yield growing.full()

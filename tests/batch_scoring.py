"""Batch scoring of hotel bookings: files of them, a workspace where a release is live, and what a run needs."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from seatrial.adapters.outputs.files import open_output
from seatrial.adapters.sources.asked import asked
from seatrial.adapters.sources.batches import FileBatches
from seatrial.cycle.score import Work
from seatrial.cycle.scoring_chunks import Piece
from seatrial.facts.release import Release
from seatrial.facts.scoring_run import InputFile, Mark, ScoringOptions
from seatrial.facts.tables import table_name
from seatrial.ports.outputs import ScoringOutput
from seatrial.ports.runtime import Runtime
from seatrial.ports.workspace import Workspace
from seatrial.product.schema import Source
from tests.hotel import BOOKED, NamedRuntime, row, stored_release

BAD_EVERY = 7


def bookings(first: int, count: int, *, bad_every: int = BAD_EVERY) -> pl.DataFrame:
    """Bookings by number, with a column that no request has; some cost more than the contract allows."""
    rows = [row(number) for number in range(first, first + count)]
    for one, number in zip(rows, range(first, first + count), strict=True):
        one["note"] = f"guest {number}"
        if bad_every and number % bad_every == bad_every - 1:
            one["price"] = 9000.0 + number
    return pl.DataFrame(rows, schema_overrides={"nights": pl.Int64})


def is_bad(number: int) -> bool:
    return number % BAD_EVERY == BAD_EVERY - 1


def launched(workspace: Workspace, *more: Release) -> Release:
    """The live release, recorded, and more beside it."""
    release = stored_release(workspace.artifacts)
    with workspace.metadata.begin() as transaction:
        for one in (release, *more):
            transaction.put(one)
    return release


def options(**changes: Any) -> ScoringOptions:
    """What a run is asked for by default: parts of ten rows, recorded."""
    given: dict[str, Any] = {
        "format": "parquet",
        "batch_rows": 10,
        "with_input": False,
        "recorded": True,
        "refused": "",
        "release": None,
        "reading": "",
    }
    return ScoringOptions(**(given | changes))


class FrameInputs:
    """Frames as files; remembers how many rows were read, and how many of them at a time at most."""

    def __init__(
        self, frames: Sequence[pl.DataFrame], unreadable: dict[int, pl.DataFrame] | None = None
    ) -> None:
        self.frames, self.unreadable = list(frames), unreadable or {}
        self.stamps = [str(number) for number in range(len(frames))]
        self.read = 0

    def files(self) -> tuple[InputFile, ...]:
        return tuple(InputFile(place=f"f{n}.csv", stamp=stamp) for n, stamp in enumerate(self.stamps))

    def pieces(self, start: Mark, rows: int) -> Iterator[Piece]:
        for number, frame in enumerate(self.frames):
            if number < start.file:
                continue
            done = start.rows if number == start.file else -1
            if done < 0 and number in self.unreadable:
                yield Piece(number, f"f{number}.csv", 0, pl.DataFrame(), self.unreadable[number])
            for first in range(max(0, done), frame.height, rows):
                piece = frame[first : first + rows]
                self.read += piece.height
                yield Piece(number, f"f{number}.csv", first, piece)


def file_inputs(*patterns: Path) -> FileBatches:
    """Files of bookings."""
    sources = [Source(path=str(pattern)) for pattern in patterns]
    return FileBatches([asked("bookings", source, None, None, lambda _: None) for source in sources])


def work(
    workspace: Workspace,
    inputs: Any,
    output: ScoringOutput | Path,
    runtime: Runtime | None = None,
    **changes: Any,
) -> Work:
    """A run of the hotel into an output."""
    return Work(
        workspace=workspace,
        product="hotel",
        inputs=inputs,
        options=options(**changes),
        output=open_output(output, None) if isinstance(output, Path) else output,
        runtime=runtime or NamedRuntime(),
    )


def stored_predictions(workspace: Workspace) -> pl.DataFrame:
    """The predictions table."""
    return workspace.tables.read(table_name("hotel", "predictions"))


def earlier(days: int) -> str:
    """A moment before the bookings, as a request says it."""
    return (BOOKED - timedelta(days=days)).isoformat()

"""A batch scoring run: what it reads, who answers, and how far it has come."""

from datetime import datetime

import msgspec

from seatrial.facts.lookups import PublishedLookup
from seatrial.facts.release import Release

RUNNING = "running"
DONE = "done"


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to score, and a stamp that changes when it does."""

    place: str
    stamp: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where reading goes on: in file number `file`, after `rows` of its rows.

    `rows` is -1 before the lines of the file that are no rows were told.
    """

    file: int = 0
    rows: int = -1


class ScoringOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked for. `release` is None for the releases that stand in front of the traffic.

    `reading` is the digest of how the files are read: separators, missing values, time zone.
    """

    format: str
    batch_rows: int
    with_input: bool
    recorded: bool
    refused: str
    release: str | None
    reading: str


class ScoringRun(msgspec.Struct, frozen=True, kw_only=True):
    """The last run into one output. `id` stands for the output, `run` for the run.

    `attempt` counts runs into the output that were begun anew. `live`, `challenger` and `lookups` are pinned when it
    begins, and so is `started_at`, which is the present moment of every row: whatever happens, a chunk that is
    scored again gets the same answers. `recorded` says whether the answers go to the predictions table: those of a
    release that is not the live one never do. `chunks` were finished; the next one begins at `mark`. `rows` were read,
    `answered` got an answer, `fallbacks` of them by the fallback, and `refused` broke the contract.
    """

    id: str
    product: str
    run: str
    attempt: int
    output: str
    inputs: tuple[InputFile, ...]
    options: ScoringOptions
    live: Release
    challenger: Release | None
    lookups: dict[str, PublishedLookup]
    recorded: bool
    started_at: datetime
    state: str = RUNNING
    finished_at: datetime | None = None
    chunks: int = 0
    mark: Mark = Mark()
    rows: int = 0
    answered: int = 0
    fallbacks: int = 0
    refused: int = 0

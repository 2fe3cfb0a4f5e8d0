"""Answers as part files in a folder, or as one file that is put together of them at the end."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import polars as pl

from seatrial.adapters.outputs.claim import claimed
from seatrial.adapters.outputs.durable import replaced
from seatrial.adapters.outputs.formats import (
    ENDINGS,
    count_answers,
    count_lines,
    ending_of,
    join,
    join_text,
    write,
)
from seatrial.errors import StorageFailed
from seatrial.ports.outputs import PartCounts

_SHOWN = 3


def open_output(target: Path, kind: str | None, refused: Path | None = None) -> "FileOutput":
    """One file where the name ends as one and no folder is there, else a folder; by default of Parquet."""
    ending = target.suffix.lower()
    whole = ending in ENDINGS and not target.is_dir()
    return FileOutput(target, kind or (ENDINGS[ending] if whole else "parquet"), whole=whole, refused=refused)


class FileOutput:
    """A `ScoringOutput` on this machine's disk. `whole` says that `target` is a file; else it is a folder of parts.

    Refused rows are JSON lines: in `refused` if that is given, else in `_refused` of the folder, or beside the file.
    """

    def __init__(self, target: Path, kind: str, *, whole: bool, refused: Path | None = None) -> None:
        self._target, self._kind, self._whole = target, kind, whole
        self._parts = target.with_name(f".{target.name}.parts") if whole else target
        self._asked = refused
        self._refused = refused or (target.with_name(f"{target.name}.refused.jsonl") if whole else None)

    @property
    def place(self) -> str:
        return str(self._target)

    @property
    def format(self) -> str:
        return self._kind

    @property
    def refused_place(self) -> str:
        return str(self._refused or self._aside)

    def claimed(self) -> AbstractContextManager[None]:
        return claimed(self._target.with_name(f".{self._target.name}.lock"), self.place)

    def holds_other(self) -> bool:
        return self._target.is_file() or next(_part_files(self._target), None) is not None

    def clear(self) -> None:
        with self._told("its parts could not be removed"):
            for part in [*_part_files(self._parts), *_part_files(self._aside)]:
                part.unlink()

    def put(self, number: int, answers: pl.DataFrame, refused: Sequence[bytes]) -> None:
        with self._told(f"part {number} could not be written"):
            if refused:
                with replaced(self._refused_part(number)) as draft:
                    draft.write_bytes(b"".join(line + b"\n" for line in refused))
            with replaced(self._part(number)) as draft:
                write(answers, self._kind, draft)

    def held(self, number: int) -> PartCounts:
        with self._told(f"part {number} could not be read"):
            part, aside = self._part(number), self._refused_part(number)
            answered, fallbacks = count_answers(part, self._kind)
            refused = count_lines(aside) if aside.is_file() else 0
        return PartCounts(answered=answered, fallbacks=fallbacks, refused=refused)

    def missing(self, parts: int, *, finished: bool) -> list[str]:
        if finished and self._whole:
            return [] if self._target.is_file() else [self.place]
        gone = [str(part) for part in map(self._part, range(parts)) if not part.is_file()]
        more = [f"{len(gone) - _SHOWN} parts more"] if len(gone) > _SHOWN else []
        return [*gone[:_SHOWN], *more]

    def finish(self, parts: int) -> None:
        with self._told("its parts could not be put together"):
            if self._refused is not None:
                self._finish_refused(self._refused, parts)
            if self._whole:
                with replaced(self._target) as draft:
                    join([self._part(number) for number in range(parts)], self._kind, draft)

    def tidy(self) -> None:
        with self._told("its parts could not be removed"):
            if self._whole:
                shutil.rmtree(self._parts, ignore_errors=True)
            elif self._refused is not None:
                shutil.rmtree(self._aside, ignore_errors=True)

    def _finish_refused(self, file: Path, parts: int) -> None:
        aside = [part for part in map(self._refused_part, range(parts)) if part.is_file()]
        if not aside and self._asked is None:
            file.unlink(missing_ok=True)  # an earlier run's: this one refused nothing
            return
        with replaced(file) as draft:
            join_text(aside, draft, heading=False)

    @property
    def _aside(self) -> Path:
        # Readers of whole folders pass over names that begin so.
        return self._parts / "_refused"

    def _part(self, number: int) -> Path:
        return self._parts / f"part-{number:06}{ending_of(self._kind)}"

    def _refused_part(self, number: int) -> Path:
        return self._aside / f"part-{number:06}.jsonl"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StorageFailed(
                f"{self.place}: {what}: {error}; see that the disk has room and the place can be written, then start "
                "the same run again: it goes on where it stopped"
            ) from error


def _part_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (file for file in folder.glob("part-*") if file.suffix in ENDINGS)

"""Where the answers of a batch scoring run go."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec
import polars as pl


class PartCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a part holds: answers, those of them that are by the fallback, and refused rows."""

    answered: int
    fallbacks: int
    refused: int


class ScoringOutput(Protocol):
    """One output: numbered parts, put together at the end where one file was asked for.

    A part is there whole or not at all, and survives a loss of power once `put` returns; putting it again replaces
    it by the same. Everything here raises StorageFailed when the place cannot be read or written.
    """

    @property
    def place(self) -> str:
        """Where it is, the same for every run into it."""
        ...

    @property
    def format(self) -> str:
        """Of its files: parquet, csv, jsonl or arrow."""
        ...

    @property
    def refused_place(self) -> str:
        """Where the refused rows are in the end."""
        ...

    def claimed(self) -> AbstractContextManager[None]:
        """Keeps other processes off while the block runs. Raises Conflict when one is at it already."""
        ...

    def holds_other(self) -> bool:
        """Whether something is there that looks like answers."""
        ...

    def clear(self) -> None:
        """Remove the parts of an earlier run."""
        ...

    def put(self, number: int, answers: pl.DataFrame, refused: Sequence[bytes]) -> None:
        """Write part `number` from 0: its answers, and its refused rows as JSON, one each."""
        ...

    def held(self, number: int) -> PartCounts:
        """What part `number` holds, which is there."""
        ...

    def missing(self, parts: int, *, finished: bool) -> list[str]:
        """What should be there of a run with that many parts, and is not."""
        ...

    def finish(self, parts: int) -> None:
        """Put the parts together, if one file was asked for. Done again it changes nothing."""
        ...

    def tidy(self) -> None:
        """Remove what is needed no more once the run is recorded as finished."""
        ...

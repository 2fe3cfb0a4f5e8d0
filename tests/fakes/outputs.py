"""Answers of batch scoring in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import polars as pl

from seatrial.errors import Conflict
from seatrial.ports.outputs import PartCounts


class MemoryOutput:
    """Parts by number; `whole` is what they make together in the end."""

    def __init__(self, place: str = "/answers") -> None:
        self._place = place
        self.parts: dict[int, pl.DataFrame] = {}
        self.aside: dict[int, list[bytes]] = {}
        self.whole: pl.DataFrame | None = None
        self.busy = False

    @property
    def place(self) -> str:
        return self._place

    @property
    def format(self) -> str:
        return "parquet"

    @property
    def refused_place(self) -> str:
        return f"{self._place}.refused"

    @property
    def refused(self) -> list[dict[str, object]]:
        """The refused rows of all parts."""
        return [msgspec.json.decode(line) for number in sorted(self.aside) for line in self.aside[number]]

    @contextmanager
    def claimed(self) -> Iterator[None]:
        if self.busy:
            raise Conflict(f"{self._place}: another process writes to it")
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    def holds_other(self) -> bool:
        return bool(self.parts)

    def clear(self) -> None:
        self.parts, self.aside = {}, {}

    def put(self, number: int, answers: pl.DataFrame, refused: Sequence[bytes]) -> None:
        self.parts[number], self.aside[number] = answers, list(refused)

    def held(self, number: int) -> PartCounts:
        part = self.parts[number]
        fallbacks = part["fallback"].count()
        return PartCounts(answered=part.height, fallbacks=fallbacks, refused=len(self.aside[number]))

    def missing(self, parts: int, *, finished: bool) -> list[str]:
        del finished
        return [f"part {number}" for number in range(parts) if number not in self.parts]

    def finish(self, parts: int) -> None:
        self.whole = pl.concat([self.parts[number] for number in range(parts)])

    def tidy(self) -> None:
        """Nothing is kept that is not needed."""

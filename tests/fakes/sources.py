"""Sources in a dictionary."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from seatrial.errors import SourceFailed
from seatrial.product.schema import Source


class MemorySources:
    """Gives the frames it was made with; a source without one fails, as an outage would."""

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        self.frames = dict(frames)

    def read(self, name: str, source: Source, folder: Path | None) -> pl.DataFrame:
        if name not in self.frames:
            raise SourceFailed(f"source {name}: not there")
        return self.frames[name]

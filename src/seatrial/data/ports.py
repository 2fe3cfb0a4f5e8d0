"""What reading data needs from outside."""

from pathlib import Path
from typing import Protocol

import polars as pl

from seatrial.product.schema import Source


class SourceReader(Protocol):
    """Reads one source as it is delivered, before any check."""

    def read(self, name: str, source: Source, folder: Path | None) -> pl.DataFrame:
        """The whole table of a source; relative places start at the product's `folder`.

        Raises SourceFailed when it cannot be read, naming the source and what went wrong.
        """
        ...

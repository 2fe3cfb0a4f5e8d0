"""One reader for every kind of source."""

from pathlib import Path

import polars as pl

from seatrial.adapters.sources.files import FileSource
from seatrial.adapters.sources.python import PythonSource
from seatrial.product.schema import Source


class Sources:
    """Reads whatever kind a source is. Make a new one for each reading: Python sources keep their modules."""

    def __init__(self) -> None:
        self._files, self._python = FileSource(), PythonSource()

    def read(self, name: str, source: Source, folder: Path | None) -> pl.DataFrame:
        """The whole table of a source. Raises SourceFailed when it cannot be read."""
        reader = self._python if source.python is not None else self._files
        return reader.read(name, source, folder)

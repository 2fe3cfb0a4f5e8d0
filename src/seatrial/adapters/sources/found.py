"""A file that a source reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Found:
    """Where a file lies, without secrets; a stamp that changes when it does; and how to get it into a local folder."""

    place: str
    stamp: str
    fetch: Callable[[Path], Path]

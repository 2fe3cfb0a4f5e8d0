"""Files that are there whole or not at all, and survive a loss of power."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """A place to write to, which becomes `file` when the block ends and leaves it untouched when that raises."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.draft")
    try:
        yield draft
        _synced(draft)
        draft.replace(file)
        _synced(file.parent)
    except Exception:
        draft.unlink(missing_ok=True)
        raise


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

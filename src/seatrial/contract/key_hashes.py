"""Hashes of a table's keys, gathered while it streams by: which of them occur twice, in bounded memory."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

# 128 MiB of hashes; sorting needs no more.
MOST_HELD = 16 * 2**20
_PARTS = 64
_PART_BITS = np.uint64(58)


class KeyHashes:
    """Gathers 64-bit hashes; `most` are held, more go to files in `folder`, parted by their first bits.

    Without a folder everything is kept in memory.
    """

    def __init__(self, folder: Path | None, name: str, *, most: int = MOST_HELD) -> None:
        self._folder, self._name, self._most = folder, name, most
        self._held: list[Hashes] = []
        self._count = 0
        self._spilled = False

    def add(self, hashes: Hashes) -> None:
        """Take some more."""
        self._held.append(hashes)
        self._count += len(hashes)
        if self._folder is not None and self._count >= self._most:
            self._spill(self._folder)

    def repeated(self) -> Hashes:
        """The hashes that were added more than once, sorted, each once."""
        if not self._spilled or self._folder is None:
            return _repeated(self._gathered())
        self._spill(self._folder)
        paths = [self._path(self._folder, part) for part in range(_PARTS)]
        found = [_repeated(np.fromfile(path, dtype=np.uint64)) for path in paths if path.exists()]
        for path in paths:
            path.unlink(missing_ok=True)
        return np.concatenate(found) if found else np.empty(0, dtype=np.uint64)

    def _gathered(self) -> Hashes:
        held = np.concatenate(self._held) if self._held else np.empty(0, dtype=np.uint64)
        self._held, self._count = [], 0
        return held

    def _spill(self, folder: Path) -> None:
        self._spilled = True
        held = self._gathered()
        held.sort()
        edges = np.searchsorted(held, np.arange(1, _PARTS, dtype=np.uint64) << _PART_BITS)
        for part, hashes in enumerate(np.split(held, edges)):
            if len(hashes):
                with self._path(folder, part).open("ab") as file:
                    hashes.tofile(file)

    def _path(self, folder: Path, part: int) -> Path:
        return folder / f"{self._name}.{part:02}.hashes"


def _repeated(hashes: Hashes) -> Hashes:
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])

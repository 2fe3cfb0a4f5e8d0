"""Prediction blocks gathered by column, each let go at once: thousands of them lie in one segment."""

from typing import Any

import msgspec
import numpy as np
import polars as pl

from seatrial.contract.types import TIMESTAMP, polars_schema
from seatrial.facts.prediction import PredictionBlock
from seatrial.facts.tables import PREDICTIONS

_TYPES = polars_schema(PREDICTIONS)
_MOMENTS = frozenset({"made_at", "received_at", "matured_at"})
_OF_BLOCK = ("product", "release", "model_digest", "contract_version")
_FIELDS = tuple(field.name for field in msgspec.structs.fields(PredictionBlock) if field.name != "features")


class BlockRows:
    """The rows of blocks, in the order in which they were added.

    `of_block` holds one value per block, `features` one value per row; a block without a feature has none there.
    """

    def __init__(self) -> None:
        self.features: dict[str, list[Any]] = {}
        self.of_block: dict[str, list[str]] = {name: [] for name in _OF_BLOCK}
        self._lengths: list[int] = []
        self._lists: dict[str, list[Any]] = {name: [] for name in _FIELDS if name not in _OF_BLOCK}
        self._rows = 0

    def add(self, block: PredictionBlock) -> None:
        """Take the rows of a block in."""
        for name, once in self.of_block.items():
            once.append(getattr(block, name))
        for name, into in self._lists.items():
            into.extend(getattr(block, name) if name != "unit" or block.unit is not None else block.key)
        for name, values in block.features.items():
            held = self.features.setdefault(name, [])
            _fill(held, self._rows)
            held.extend(values)
        self._lengths.append(len(block))
        self._rows += len(block)

    def frame(self) -> pl.DataFrame:
        """The fixed columns of the `predictions` table."""
        return pl.DataFrame([self._column(name, dtype) for name, dtype in _TYPES.items()])

    def feature(self, name: str) -> list[Any]:
        """One value of a feature per row; None where it is not held."""
        values = self.features.get(name, [])
        _fill(values, self._rows)
        return values

    def _column(self, name: str, dtype: Any) -> pl.Series:
        if name in self.of_block:
            blocks = np.repeat(np.arange(len(self._lengths)), self._lengths)
            return pl.Series(name, self.of_block[name], dtype=dtype).gather(blocks)
        if name in _MOMENTS:
            return pl.Series(name, self._lists[name], dtype=pl.Int64, strict=False).cast(TIMESTAMP)
        return pl.Series(name, self._lists[name], dtype=dtype, strict=False)


def _fill(values: list[Any], rows: int) -> None:
    if len(values) < rows:
        values.extend([None] * (rows - len(values)))

"""The rows a model was validated on, as binned distributions of features and score: artifact `Model.reference`."""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.errors import IntegrityBroken
from seatrial.measures.distances import Bins, CategoryBins, category_bins, count, numeric_bins
from seatrial.product.features import Feature


class Binned(msgspec.Struct, frozen=True, kw_only=True):
    """Bins and how many reference values lie in each; the last two counts are other and missing."""

    bins: Bins
    counts: tuple[int, ...]

    @property
    def rows(self) -> int:
        """How many reference values were counted."""
        return sum(self.counts)

    @property
    def missing_share(self) -> float:
        """The share of missing values in the reference, 0 for an empty one."""
        return self.counts[-1] / self.rows if self.rows else 0.0

    @property
    def other_share(self) -> float:
        """The share of values in no bin of their own (rare categories), 0 for an empty reference."""
        return self.counts[-2] / self.rows if self.rows else 0.0


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The binned distribution of every feature by name, and of the score."""

    features: dict[str, Binned]
    score: Binned


def make_reference(frame: pl.DataFrame, features: Sequence[Feature], scores: npt.ArrayLike) -> Reference:
    """The reference of rows with the features as columns, and their scores."""
    return Reference(
        features={feature.name: _binned(frame[feature.name], feature.categorical) for feature in features},
        score=_binned(pl.Series("score", np.asarray(scores, dtype=np.float64)), False),
    )


def counted(binned: Binned, values: pl.Series) -> tuple[int, ...]:
    """How many of `values` lie in each bin of a reference."""
    return tuple(count(binned.bins, _values(values, binned.bins)).tolist())


def encode_reference(reference: Reference) -> bytes:
    """The reference as JSON, the same bytes for the same content."""
    return msgspec.json.encode(reference, order="sorted")


def decode_reference(body: bytes) -> Reference:
    """The reference in JSON bytes. Raises IntegrityBroken for anything else."""
    try:
        return msgspec.json.decode(body, type=Reference)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise IntegrityBroken(
            f"not a model's reference distribution: {error}; train the model anew"
        ) from error


def _binned(values: pl.Series, categorical: bool) -> Binned:
    bins = category_bins(values.to_list()) if categorical else numeric_bins(_numbers(values))
    return Binned(bins=bins, counts=tuple(count(bins, _values(values, bins)).tolist()))


def _values(values: pl.Series, bins: Bins) -> npt.ArrayLike:
    return values.to_list() if isinstance(bins, CategoryBins) else _numbers(values)


def _numbers(values: pl.Series) -> npt.NDArray[np.float64]:
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()

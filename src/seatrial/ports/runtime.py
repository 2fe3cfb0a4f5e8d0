"""What runs a packaged model."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Scorer(Protocol):
    """A loaded model. Safe to call from several threads."""

    def score(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        """Probabilities of the outcome, of shape (n_rows,), from inputs of `product.features.encode`."""
        ...


class Runtime(Protocol):
    """Loads packages."""

    def load(self, package: bytes) -> Scorer:
        """The model in the package. Raises TrainingFailed when the bytes are not a model that it can run."""
        ...

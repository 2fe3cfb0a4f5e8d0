"""What training needs from a library that fits models."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seatrial.product.features import Feature
from seatrial.product.product import Product

Inputs = Mapping[str, npt.NDArray[Any]]


class Fitted(Protocol):
    """A fitted model, still in its own library."""

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        """Probabilities of the outcome, of shape (n_rows,), from inputs of `product.features.encode`.

        Raises TrainingFailed when the model cannot score a row.
        """
        ...

    def package(self, features: Sequence[Feature]) -> bytes:
        """The model converted, for a runtime that needs none of its own library. The same model gives the same bytes.

        Raises TrainingFailed when the model cannot be converted. Whether it was converted well is for parity to say.
        """
        ...

    def package_natively(self, features: Sequence[Feature]) -> bytes:
        """The model as it is, for its own library in a process of its own. The same model gives the same bytes.

        Raises TrainingFailed when the model cannot be written down, MissingExtra when the library for that is missing.
        """
        ...


class Estimator(Protocol):
    """How to fit a model: settings without what was learned, so that it can be fitted again and again."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    def fit(
        self, inputs: Inputs, labels: npt.NDArray[np.bool_], features: Sequence[Feature], seed: int
    ) -> Fitted:
        """A model fitted from scratch; the same arguments give the same model. Raises TrainingFailed."""
        ...


class Framework(Protocol):
    """Finds and makes estimators."""

    def load(self, product: Product) -> Estimator:
        """The estimator that the product file names.

        A file is opened only when its digest is the one consented to, because opening it runs code.
        Raises TrainingFailed when it is missing, was not consented to, or does not fit the product's features.
        """
        ...

    def linear(self, features: Sequence[Feature]) -> Estimator:
        """A plain linear model to compare with; it is never packaged."""
        ...

"""The model that will be served: fitted on all rows, packaged, and held against its package.

A conversion that fails, or scores otherwise, costs speed and not the model: it is packaged as it is, for its own
library in a process of its own, and held against that package instead.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from seatrial.errors import MissingExtra, TrainingFailed
from seatrial.facts.model import Parity
from seatrial.measures.inputs import Booleans, Floats
from seatrial.ports.runtime import Limits, Runtime
from seatrial.product.features import ColumnInputs, encode
from seatrial.product.product import Product
from seatrial.train.parity import check_parity, parity_rows
from seatrial.train.ports import Estimator

# Parity is checked on far fewer rows; encoding all of them to choose from would take seconds.
_ROWS = 20_000


@dataclass(frozen=True)
class Packaged:
    """A package with its parity; `not_converted` says why it is served by its own library, when it is."""

    package: bytes
    parity: Parity
    served_by: Literal["onnx", "native"] = "onnx"
    not_converted: str = ""


def package_with_parity(
    product: Product, estimator: Estimator, rows: pl.DataFrame, runtime: Runtime
) -> Packaged:
    """The estimator fitted on the rows, in a package that scores as it does.

    Raises TrainingFailed when it cannot be fitted, or no package of it scores as the fitted model does.
    """
    seed = product.file.train.seed
    inputs = encode(rows, product.features)
    fitted = estimator.fit(inputs, labels_of(product, rows), product.features, seed)
    some = encode(rows.sample(min(rows.height, _ROWS), seed=seed), product.features)
    probes = parity_rows(product, some, seed)
    scores = fitted.score(probes)
    try:
        package = fitted.package(product.features)
        return Packaged(package, _parity(product, runtime, package, scores, probes))
    except TrainingFailed as reason:
        try:
            package = fitted.package_natively(product.features)
            parity = _parity(product, runtime, package, scores, probes)
        except (TrainingFailed, MissingExtra) as error:
            raise TrainingFailed(f"{reason}\nServed by its own library instead: {error}") from error
        return Packaged(package, parity, "native", str(reason))


def labels_of(product: Product, rows: pl.DataFrame) -> Booleans:
    """Whether the outcome came, of shape (n_rows,)."""
    return rows[product.label].to_numpy()


def _parity(
    product: Product, runtime: Runtime, package: bytes, scores: Floats, probes: ColumnInputs
) -> Parity:
    allowed = product.file.serve.model
    scorer = runtime.load(package, Limits(allowed.timeout, allowed.memory))
    try:
        return check_parity(scores, scorer, probes)
    finally:
        scorer.close()

"""A trained, packaged, immutable version of a model, with the evidence of its training."""

from datetime import datetime
from typing import Literal

import msgspec

from seatrial.facts.estimate import Estimate


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """How far the packaged model differs from the fitted one, on real rows and on unseen and missing values."""

    rows: int
    largest_difference: float
    tolerance: float
    differing_rows: int

    @property
    def holds(self) -> bool:
        """True when no row differs by more than the tolerance."""
        return self.differing_rows == 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One policy on the validation rows: its value, and for models log loss and AUC.

    `policy` is one of model, constant, linear, baseline, act_always, act_never, live.
    """

    policy: str
    value: Estimate
    advantage: Estimate | None = None
    log_loss: float | None = None
    auc: float | None = None
    threshold: float | None = None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The model on one slice of the validation rows."""

    column: str
    group: str
    rows: int
    loss: Estimate
    value: Estimate


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model. `id` is the digest of the package; `threshold` its operating point.

    `promise` is the value per row that the validation rows promise, `promised_loss` their Brier loss;
    `calibration` maps raw scores to probabilities (two equally long knot lists); `reference` is the artifact
    with the binned distribution of every feature and of the score. `longest_wait` is how many seconds after the end
    of its decision's day an example may mature. `served_by` says what runs the package: ONNX Runtime, or the model's
    own library in a process of its own; then `not_converted` says why.
    """

    id: str
    product: str
    snapshot: str
    artifact: str
    estimator: str
    features: tuple[str, ...]
    threshold: float
    trained_at: datetime
    trained_from: datetime
    trained_to: datetime
    training_rows: int
    validation_rows: int
    seconds: float
    seed: int
    parity: Parity
    comparisons: tuple[Comparison, ...]
    slices: tuple[Slice, ...]
    importances: dict[str, float]
    promise: Estimate
    promised_loss: Estimate
    calibration: tuple[tuple[float, ...], tuple[float, ...]]
    reference: str
    longest_wait: float
    card: str
    why: str = ""
    served_by: Literal["onnx", "native"] = "onnx"
    not_converted: str = ""

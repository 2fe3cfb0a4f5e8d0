"""What intake needs from outside: somebody who looks into a fitted model."""

from pathlib import Path
from typing import Protocol

import msgspec


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a fitted model says of itself.

    `digest` is `sha256:<hex>` of the file that was opened; `features` are its inputs in order, empty when it does
    not tell; `task` is binary, multiclass, regression or unknown.
    """

    digest: str
    class_name: str
    features: tuple[str, ...] = ()
    task: str = "unknown"


class ModelInspector(Protocol):
    """Opens a model's file, which runs code from it: call it only with consent."""

    def inspect(self, path: Path) -> ModelFacts:
        """The facts. Raises NotFound, MissingExtra, or TrainingFailed when the file holds no model."""
        ...

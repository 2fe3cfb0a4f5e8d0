"""The inputs of a loaded model from those of a batch: which features, side by side or each by itself."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from seatrial.adapters.runtimes.package import Tensor
from seatrial.errors import TrainingFailed
from seatrial.ports.runtime import Inputs

Feed = dict[str, npt.NDArray[Any]]


def feeder(tensors: Sequence[Tensor]) -> Callable[[Inputs], Feed]:
    """A function from a batch's inputs to the model's. It raises KeyError when a feature did not come."""
    groups = [(tensor.name, tensor.features) for tensor in tensors if not _alone(tensor)]
    singles = [(tensor.name, tensor.features[0]) for tensor in tensors if _alone(tensor)]
    if len(groups) == 1 and not singles:
        ((only, features),) = groups
        return lambda inputs: {only: inputs.matrix(features)}

    def feed(inputs: Inputs) -> Feed:
        made = {name: inputs.matrix(features) for name, features in groups}
        for name, feature in singles:
            made[name] = inputs[feature]
        return made

    return feed


def features(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    """The features that the tensors are made of, in their order."""
    return tuple(feature for tensor in tensors for feature in tensor.features)


def not_there(tensors: Sequence[Tensor], inputs: Inputs) -> TrainingFailed:
    """The error of inputs that lack a feature: which, and what to do."""
    names = features(tensors)
    missing = [name for name in names if name not in inputs]
    return TrainingFailed(
        f"package: expected inputs {', '.join(names)}; {', '.join(missing)} did not come; "
        "the product's features are not those that the model was trained on: train again"
    )


def _alone(tensor: Tensor) -> bool:
    return tensor.text or len(tensor.features) == 1

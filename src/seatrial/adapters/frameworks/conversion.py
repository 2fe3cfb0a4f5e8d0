"""Fitted pipelines as ONNX, with the features that are numbers in one matrix wherever the pipeline allows it."""

import copy
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.adapters.frameworks.boosters import register
from seatrial.adapters.frameworks.names import speaks_of_names, with_categories
from seatrial.adapters.frameworks.native import tensors
from seatrial.adapters.runtimes.onnx import OUTPUT
from seatrial.adapters.runtimes.package import Tensor
from seatrial.product.features import Feature

_OPSET = {"": 17, "ai.onnx.ml": 3}
_CONVERTING = threading.Lock()
# The steps that `by_column` puts in front of what cannot choose columns by name: a matrix, or a frame with names.
_TOGETHER, _NAMED = "together", "named"


@dataclass(frozen=True)
class Converted:
    """A model as ONNX, its inputs, and the part of the pipeline that was converted."""

    model: bytes
    inputs: tuple[Tensor, ...]
    estimator: Any


def convert(pipeline: Any, columns: Sequence[str], features: Sequence[Feature]) -> Converted:
    """The model, the outcome's probability in the last column of `probabilities`. Raises what the converter does."""
    inputs = tensors(columns, features)
    if takes_matrix(pipeline, columns, inputs):
        model = pipeline.steps[1][1]
        return Converted(_converted(model, inputs), inputs, model)
    placed, inputs = _by_place(pipeline, columns, features)
    return Converted(_converted(placed, inputs), inputs, pipeline)


def by_column(pipeline: Any, columns: Sequence[str]) -> Any:
    """The pipeline, unfitted, taking its columns by name: what the converter cannot do for a bare model.

    A model that speaks of columns by name is given a frame that has them, any other a matrix.
    """
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    first = pipeline.steps[0][1] if isinstance(pipeline, Pipeline) else pipeline
    if isinstance(first, ColumnTransformer):
        return clone(pipeline)
    model = with_categories(pipeline)
    together = ColumnTransformer([_all(columns)], verbose_feature_names_out=False)
    if not speaks_of_names(pipeline, model, columns):
        return Pipeline([(_TOGETHER, together), ("model", model)])
    return Pipeline([(_NAMED, together.set_output(transform="polars")), ("model", model)])


def takes_names(pipeline: Any) -> bool:
    """Whether `by_column` made the pipeline for a model that is given a frame with names."""
    return hasattr(pipeline, "steps") and pipeline.steps[0][0] == _NAMED


def takes_matrix(pipeline: Any, columns: Sequence[str], inputs: Sequence[Tensor]) -> bool:
    """Whether `by_column` made the pipeline, for numbers alone: its second step alone is to be converted."""
    steps: Any = getattr(pipeline, "steps", ())
    if len(steps) != 2 or steps[0][0] not in (_TOGETHER, _NAMED) or any(one.text for one in inputs):
        return False
    return list(getattr(steps[0][1], "transformers", ())) == [_all(columns)]


def _all(columns: Sequence[str]) -> tuple[str, str, list[str]]:
    return ("all", "passthrough", list(columns))


def _by_place(
    pipeline: Any, columns: Sequence[str], features: Sequence[Feature]
) -> tuple[Any, tuple[Tensor, ...]]:
    """The pipeline with columns chosen by their place in the inputs instead of by name, and those inputs.

    The converter knows single inputs by name, and columns of a matrix by place alone. Where that fails, the pipeline
    as it is, with an input per column.
    """
    words = {feature.name for feature in features if feature.categorical}
    separate = tuple(Tensor(name, (name,), text=name in words) for name in columns)
    chooser = pipeline.steps[0][1] if hasattr(pipeline, "steps") else pipeline
    chosen = _chosen(chooser, columns, words)
    if chosen is None:
        return pipeline, separate
    # In the order in which they are taken, so that mostly nothing has to be moved.
    taken = dict.fromkeys([*(name for names in chosen for name in names), *columns])
    inputs = tensors(tuple(taken), features)
    order = [name for one in inputs for name in one.features]
    places = [[order.index(name) for name in names] for names in chosen]
    numbers = len(inputs[0].features)
    # The converter takes a whole matrix as it comes, whatever order was asked for.
    if any(len(each) == numbers and each != sorted(each) for each in places):
        return pipeline, separate
    return _placed(pipeline, chooser, places), inputs


def _placed(pipeline: Any, chooser: Any, places: Sequence[list[int]]) -> Any:
    """A copy of the pipeline whose chooser takes its columns at the places; the fitted steps are shared."""
    from sklearn.pipeline import Pipeline

    copied = copy.copy(chooser)
    steps = zip(chooser.transformers_, places, strict=True)
    copied.transformers_ = [(name, step, at) for (name, step, _), at in steps]
    if chooser is pipeline:
        return copied
    return Pipeline([(pipeline.steps[0][0], copied), *pipeline.steps[1:]])


def _chosen(chooser: Any, columns: Sequence[str], words: set[str]) -> list[list[str]] | None:
    """The columns of each step, by name; None where they cannot be told, or one step takes numbers and text."""
    from sklearn.compose import ColumnTransformer

    if not isinstance(chooser, ColumnTransformer):
        return None
    found = []
    for _, step, chosen in chooser.transformers_:
        names = _names(chosen, columns)
        if names is None or (step != "drop" and 0 < len(words & set(names)) < len(names)):
            return None
        found.append(names)
    return found


def _names(chosen: Any, columns: Sequence[str]) -> list[str] | None:
    """The columns of one step, which may name them, count them or mark them; None for what is none of these."""
    if isinstance(chosen, slice):
        named = isinstance(chosen.start, str) or isinstance(chosen.stop, str)
        return None if named else list(columns[chosen])
    listed = np.atleast_1d(chosen)
    if listed.dtype.kind == "b":
        return [name for name, taken in zip(columns, listed, strict=True) if taken]
    if listed.dtype.kind in "iu":
        return [columns[place] for place in listed]
    names = listed.tolist()
    return names if all(isinstance(name, str) for name in names) else None


def _converted(model: Any, inputs: Sequence[Tensor]) -> bytes:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    types = [
        (one.name, (StringTensorType if one.text else FloatTensorType)([None, len(one.features)]))
        for one in inputs
    ]
    with _quiet_conversion():
        register()
        made = convert_sklearn(
            model,
            name="seatrial",  # the default is random, and the package would never be the same twice
            initial_types=types,
            options={"zipmap": False},
            target_opset=_OPSET,
        )
    return _canonical(made)


@contextmanager
def _quiet_conversion() -> Iterator[None]:
    # Filters belong to the whole process: two conversions at once would restore each other's.
    with _CONVERTING, warnings.catch_warnings():
        # skl2onnx writes booleans into integer lists; protobuf below 7, which we hold to, takes them.
        warnings.filterwarnings(
            "ignore", message=r".*Expected an int, got a boolean", category=DeprecationWarning
        )
        yield


def _canonical(model: Any) -> bytes:
    """The model's bytes, the same in every process: the converter lists operator sets in the order of a hash.

    Labels are left out, which nobody asks for.
    """
    opsets = sorted((opset.domain, opset.version) for opset in model.opset_import)
    del model.opset_import[:]
    for domain, version in opsets:
        model.opset_import.add(domain=domain, version=version)
    outputs = [output for output in model.graph.output if output.name == OUTPUT]
    if outputs:
        del model.graph.output[:]
        model.graph.output.extend(outputs)
    return bytes(model.SerializeToString(deterministic=True))

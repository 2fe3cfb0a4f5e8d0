"""ONNX models, run by ONNX Runtime in this process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from seatrial.adapters.runtimes.layout import Feed, feeder, not_there
from seatrial.adapters.runtimes.package import Tensor
from seatrial.errors import ModelFailed, TrainingFailed
from seatrial.ports.runtime import Inputs

OUTPUT = "probabilities"
_OUTPUTS = [OUTPUT]
_SILENT = 4
_UNUSABLE = (
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NotImplemented,
    faults.RuntimeException,
)


class OnnxScorer:
    """A loaded ONNX model; its session may be used by several threads.

    Without `tensors` every input of the model is a feature of its name, as in packages of older workspaces.
    Raises TrainingFailed when the bytes are no model, or one without probabilities.
    """

    isolated = False

    def __init__(self, model: bytes, tensors: Sequence[Tensor] = (), threads: int = 1) -> None:
        session = _session(model, threads)
        outputs = [output.name for output in session.get_outputs()]
        if OUTPUT not in outputs:
            raise TrainingFailed(
                f"package: expected an output named {OUTPUT}, found {', '.join(outputs)}; "
                "package a classifier, with its probabilities as one tensor"
            )
        names = tuple(column.name for column in session.get_inputs())
        self.tensors = tuple(tensors) or tuple(Tensor(name, (name,)) for name in names)
        if {tensor.name for tensor in self.tensors} != set(names):
            raise TrainingFailed(
                f"package: expected the model's inputs as its manifest names them, found {', '.join(names)}; "
                "train and package the model again"
            )
        self._run = session.run
        self._feed = feeder(self.tensors)

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        try:
            feed = self._feed(inputs)
        except KeyError as error:
            raise not_there(self.tensors, inputs) from error
        return self.score_feed(feed)

    def score_feed(self, feed: Feed) -> npt.NDArray[np.float64]:
        """Probabilities of shape (n_rows,) from the model's own inputs. Raises ModelFailed."""
        try:
            probabilities = self._run(_OUTPUTS, feed)[0]
        except _UNUSABLE as error:
            raise ModelFailed(f"model: ONNX Runtime could not score these rows: {error}") from error
        scores: npt.NDArray[np.float64] = probabilities[:, -1].astype(np.float64)
        return scores

    def close(self) -> None:
        """It has no process of its own."""


def _session(model: bytes, threads: int) -> Any:
    try:
        return onnxruntime.InferenceSession(model, _options(threads), providers=["CPUExecutionProvider"])
    except _UNUSABLE as error:
        raise TrainingFailed(
            f"package: expected an ONNX model, received {len(model)} bytes that ONNX Runtime "
            f"{onnxruntime.__version__} cannot load ({error}); train and package the model again"
        ) from error


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # What is wrong is raised; the library would print it as well.
    options.log_severity_level = _SILENT
    return options

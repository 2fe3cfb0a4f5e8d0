"""ONNX packages, run by ONNX Runtime."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from seatrial.errors import TrainingFailed

_OUTPUT = "probabilities"
_SILENT = 4
_UNUSABLE = (
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NotImplemented,
    faults.RuntimeException,
)


class OnnxRuntime:
    """Loads packages for `threads` threads each; one by default, for a server runs several processes."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def load(self, package: bytes) -> "OnnxScorer":
        try:
            session = onnxruntime.InferenceSession(
                package, self._options(), providers=["CPUExecutionProvider"]
            )
        except _UNUSABLE as error:
            raise TrainingFailed(
                f"package: expected an ONNX model, received {len(package)} bytes that ONNX Runtime "
                f"{onnxruntime.__version__} cannot load ({error}); train and package the model again"
            ) from error
        return OnnxScorer(session)

    def _options(self) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # What is wrong is raised; the library would print it as well.
        options.log_severity_level = _SILENT
        return options


class OnnxScorer:
    """A loaded package; its session may be used by several threads."""

    def __init__(self, session: Any) -> None:
        outputs = [output.name for output in session.get_outputs()]
        if _OUTPUT not in outputs:
            raise TrainingFailed(
                f"package: expected an output named {_OUTPUT}, found {', '.join(outputs)}; "
                "package a classifier, with its probabilities as one tensor"
            )
        self._session = session
        self.names = tuple(column.name for column in session.get_inputs())

    def score(self, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        missing = [name for name in self.names if name not in inputs]
        if missing:
            raise TrainingFailed(
                f"package: expected inputs {', '.join(self.names)}; {', '.join(missing)} did not come; "
                "the product's features are not those that the model was trained on: train again"
            )
        (probabilities,) = self._session.run([_OUTPUT], {name: inputs[name] for name in self.names})
        return np.asarray(probabilities[:, -1], dtype=np.float64)

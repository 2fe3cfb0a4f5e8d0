"""Models that run in processes of their own: what they do to themselves does not reach the server."""

import weakref

import numpy as np
import numpy.typing as npt

from seatrial.adapters.runtimes import wire
from seatrial.adapters.runtimes.crew import Crew
from seatrial.adapters.runtimes.layout import not_there
from seatrial.adapters.runtimes.package import Manifest
from seatrial.adapters.runtimes.process import ModelProcess
from seatrial.ports.runtime import Inputs, Limits


class IsolatedScorer:
    """A loaded native model. Several threads may call; each of its `processes` works on one call at a time.

    Raises TrainingFailed when the model does not open within `load_seconds`. A process that crashes, takes longer
    than its timeout or runs out of memory fails the call that it was on, and is started again.
    """

    isolated = True

    def __init__(
        self, package: bytes, manifest: Manifest, limits: Limits, *, processes: int, load_seconds: float
    ) -> None:
        self._limits = limits
        self._tensors = manifest.inputs
        self._numbers = tuple(
            name for tensor in manifest.inputs if not tensor.text for name in tensor.features
        )
        self._texts = tuple(name for tensor in manifest.inputs if tensor.text for name in tensor.features)

        def open_model(process: ModelProcess) -> None:
            process.load(package, load_seconds)

        self._crew = Crew(lambda: ModelProcess(limits), open_model, processes, manifest.estimator)
        # A scorer that is forgotten takes its processes with it.
        self._end = weakref.finalize(self, self._crew.close)

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the processes that there are now."""
        return self._crew.pids

    @property
    def restarts(self) -> int:
        """How many processes came up in the place of others."""
        return self._crew.restarts

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        rows, body = self._encoded(inputs)
        if not rows:
            return np.empty(0)
        process = self._crew.take(self._limits.timeout_seconds)
        try:
            return process.score(rows, body)
        finally:
            self._crew.give(process)

    def close(self) -> None:
        self._end()

    def _encoded(self, inputs: Inputs) -> tuple[int, bytes]:
        try:
            numbers = inputs.matrix(self._numbers) if self._numbers else None
            texts = [inputs[name] for name in self._texts]
        except KeyError as error:
            raise not_there(self._tensors, inputs) from error
        rows = texts[0].shape[0] if numbers is None else numbers.shape[0]
        return rows, wire.encode(numbers, texts)

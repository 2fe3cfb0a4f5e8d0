"""Seatrial with a model that takes its time: the real engine, door and journal around a scorer that sleeps.

It counts as a model in a process of its own, so the engine runs it beside the event loop.
"""

import os
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.cycle.routes import RecordedRoutes
from seatrial.ports.runtime import Inputs, Limits, Runtime, Scorer
from seatrial.serve.serving import Limits as ServingLimits
from seatrial.serve.serving import Serving
from seatrial.settings import read_settings
from seatrial.web.scoring.app import build
from seatrial.web.scoring.rsgi import RsgiApp
from seatrial.wiring import journal_writer, model_runtime, open_workspace

PRODUCT = os.environ["SEATRIAL_PRODUCT"]
ROW_SECONDS, CALL_SECONDS = (float(os.environ[f"SERVING_{what}_MS"]) / 1000 for what in ("ROW", "CALL"))
BATCH_ROWS = int(os.environ["SERVING_BATCH_ROWS"])


class SlowScorer:
    """What the packaged model says, later."""

    isolated = True

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        """The scores, after so long for the call and for each row."""
        found = self._scorer.score(inputs)
        time.sleep(CALL_SECONDS + ROW_SECONDS * len(found))
        return found

    def close(self) -> None:
        """Let go of the model."""
        self._scorer.close()


class SlowRuntime:
    """Loads packages for slow scorers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def load(self, package: bytes, limits: Limits | None = None) -> SlowScorer:
        """The model in the package."""
        return SlowScorer(self._runtime.load(package, limits))


def application() -> Any:
    """The data plane of the product in this folder."""
    settings = read_settings()
    workspace = open_workspace(settings, product=PRODUCT)
    journal = journal_writer(settings, "server", product=PRODUCT)
    serving = Serving(
        PRODUCT,
        RecordedRoutes(workspace.metadata, PRODUCT),
        workspace.artifacts,
        SlowRuntime(model_runtime()),
        journal,
        workspace.clock,
        tick=journal.tick,
        limits=ServingLimits(batch_rows=BATCH_ROWS),
    )
    return RsgiApp(build(serving))

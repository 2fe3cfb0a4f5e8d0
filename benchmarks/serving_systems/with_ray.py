"""Ray Serve: one replica."""

import os
import signal
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import ray
from ray import serve
from starlette.requests import Request

FOLDER, PORT = Path(os.environ["SERVING_MODEL"]), int(os.environ["SERVING_PORT"])
SCIKIT_LEARN = os.environ["SERVING_SCORER"] == "scikit-learn"


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.5})
class Trees:
    """Rows in, scores out."""

    def __init__(self) -> None:
        self.model = joblib.load(FOLDER / "model.joblib")
        self.booster = lightgbm.Booster(model_file=FOLDER / "model.bst")

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        """The scores."""
        matrix = np.array((await request.json())["rows"], dtype=np.float32)
        found: Any = (
            self.model.predict_proba(matrix)[:, 1]
            if SCIKIT_LEARN
            else self.booster.predict(matrix, num_threads=1)
        )
        return {"scores": found.tolist()}


if __name__ == "__main__":
    ray.init(
        include_dashboard=False, object_store_memory=100_000_000, logging_level="error", log_to_driver=False
    )
    serve.start(http_options={"host": "127.0.0.1", "port": PORT, "access_log": False})
    deployment: Any = Trees
    serve.run(deployment.bind(), route_prefix="/predict")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    serve.shutdown()
    ray.shutdown()

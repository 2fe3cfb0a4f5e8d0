"""MLServer and its own LightGBM runtime: in one process, without workers beside it."""

import json
import os
import sys
from pathlib import Path

FOLDER, PORT = Path(os.environ["SERVING_MODEL"]), int(os.environ["SERVING_PORT"])
SETTINGS = {
    "http_port": PORT,
    "grpc_port": PORT + 1,
    "metrics_port": PORT + 2,
    "host": "127.0.0.1",
    "parallel_workers": int(os.environ.get("SERVING_WORKERS", "0")),
    "debug": False,
    "access_log": False,
}
IMPLEMENTATION, FILE, EXTRA = {
    "scikit-learn": ("mlserver_sklearn.SKLearnModel", "model.joblib", {"predict_fn": "predict_proba"}),
    "booster": ("mlserver_lightgbm.LightGBMModel", "model.bst", {}),
}[os.environ["SERVING_SCORER"]]
MODEL = {
    "name": "trees",
    "implementation": IMPLEMENTATION,
    "parameters": {"uri": str(FOLDER / FILE), "version": "1", "extra": EXTRA},
}

if __name__ == "__main__":
    place = FOLDER / "mlserver"
    place.mkdir(exist_ok=True)
    (place / "settings.json").write_text(json.dumps(SETTINGS))
    (place / "model-settings.json").write_text(json.dumps(MODEL))
    command = Path(sys.executable).with_name("mlserver")
    os.execv(command, [str(command), "start", str(place)])  # noqa: S606 - becomes the server

"""`mlflow models serve` in this environment, one worker; the rows come as plain lists."""

import os
import sys
from pathlib import Path

FOLDER, PORT = Path(os.environ["SERVING_MODEL"]), os.environ["SERVING_PORT"]
PLACE = FOLDER / "mlflow"


def prepare() -> None:
    """Save the model in MLflow's layout."""
    import joblib
    import mlflow.sklearn

    mlflow.sklearn.save_model(
        joblib.load(FOLDER / "model.joblib"),
        str(PLACE),
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["prepare"]:
        prepare()
        sys.exit(0)
    command = Path(sys.executable).with_name("mlflow")
    what = ["models", "serve", "--model-uri", str(PLACE), "--workers", "1", "--env-manager", "local"]
    os.execv(command, [str(command), *what, "--host", "127.0.0.1", "--port", PORT])  # noqa: S606 - becomes the server

"""FastAPI and uvicorn, tuned by hand: typed rows, a NumPy array instead of a data frame, one process."""

import os
import sys
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, create_model

from benchmarks.serving_work import FEATURES

FOLDER, PORT = Path(os.environ["SERVING_MODEL"]), int(os.environ["SERVING_PORT"])
SCIKIT_LEARN = os.environ["SERVING_SCORER"] == "scikit-learn"

Row = create_model("Row", **dict.fromkeys(FEATURES, (float, ...)))  # type: ignore[call-overload]


class Body(BaseModel):
    """What is posted."""

    rows: list[Row]  # type: ignore[valid-type]


model = joblib.load(FOLDER / "model.joblib")
booster = lightgbm.Booster(model_file=FOLDER / "model.bst")
app = FastAPI()


@app.post("/predict")  # type: ignore[untyped-decorator]  # no types where FastAPI is not
async def predict(body: Body) -> dict[str, list[float]]:
    """Scores; in the event loop, for a thread of the pool would only add to it."""
    matrix = np.array([[getattr(row, name) for name in FEATURES] for row in body.rows], dtype=np.float32)
    scores: Any = (
        model.predict_proba(matrix)[:, 1] if SCIKIT_LEARN else booster.predict(matrix, num_threads=1)
    )
    return {"scores": scores.tolist()}


if __name__ == "__main__":
    uvicorn.run(app, port=PORT, workers=1, loop="uvloop", http="httptools", log_level="warning")
    sys.exit(0)

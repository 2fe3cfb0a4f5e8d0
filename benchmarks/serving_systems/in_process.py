"""ONNX Runtime alone, in process: microseconds for one row and for a batch, the matrix being there."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving_systems.floors import session
from benchmarks.serving_work import BATCH


def microseconds(run: Any, matrix: Any, seconds: float) -> float:
    """The median of calls over so many seconds."""
    times: list[int] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter_ns()
        run(["probabilities"], {"x": matrix})
        times.append(time.perf_counter_ns() - begun)
    return float(np.median(times)) / 1000


def main(folder: Path) -> None:
    """Print both."""
    run = session(folder).run
    rows = np.array(json.loads((folder / "rows.json").read_text())[:BATCH], dtype=np.float32)
    found = {"one": microseconds(run, rows[:1], 0.3), "batch": microseconds(run, rows, 0.5)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

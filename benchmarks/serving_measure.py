"""Everything that is measured about one system, from its start to its end."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import serving_load as wrk
from benchmarks.serving_contestants import CONSTANT, ENVIRONMENT, OURS, SYSTEMS, Contestant
from benchmarks.serving_process import Server, free_port, post
from benchmarks.serving_stage import Stage
from benchmarks.serving_work import BATCH, scores

ARROW = "application/vnd.apache.arrow.stream"
CHECKED, TOLERANCE = 50, 1e-5
WARM_SECONDS = 1.0

Figures = dict[str, float]
# Seconds with one connection, with 32, and of each load of batches.
Seconds = tuple[float, float, float]


def measure(one: Contestant, stage: Stage, right: list[float], seconds: Seconds) -> Figures:
    """One system, started and ended for it."""
    port = free_port()
    environment, log = one.environment(stage.model, port), stage.model / "server.log"
    server = Server(one.arguments(port), environment, stage.product, port, log)
    try:
        single = stage.bodies(one.body, 1)
        first = single.read_text().split("\n", 1)[0].encode()
        server.wait(one.path, first, lambda body: one.name == CONSTANT or is_right(body, right[:1]))
        found = {"cold_s": server.cold_seconds}
        url = f"http://127.0.0.1:{port}{one.path}"
        found |= rows_under_load(server, url, single, seconds)
        if one.name != CONSTANT:
            found["difference"] = largest_difference(one, stage, right, port)
            found |= batches_under_load(url, stage.bodies(one.body, BATCH), "batch", seconds[2])
        if one.name == OURS:
            found |= batches_under_load(url, stage.bodies("arrow", BATCH), "arrow", seconds[2], ARROW)
        return found | {"memory_mb": server.memory_mb()}
    finally:
        server.stop()
        if one.body == "ours":
            stage.forget_journal()


def rows_under_load(server: Server, url: str, bodies: Path, seconds: Seconds) -> Figures:
    """One row per request, on one connection and on 32, once the server is warm."""
    wrk.load(url, bodies, 8, WARM_SECONDS)
    alone = wrk.load(url, bodies, 1, seconds[0])
    used = server.cpu_seconds()
    together = wrk.load(url, bodies, 32, seconds[1])
    used = server.cpu_seconds() - used
    return {
        "c1_p50_ms": alone["p50"],
        "c1_p99_ms": alone["p99"],
        "c32_per_s": together["rate"],
        "c32_p50_ms": together["p50"],
        "c32_p99_ms": together["p99"],
        "c32_cpu_us": 1e6 * used / together["requests"],
        "errors": alone["errors"] + together["errors"],
    }


def batches_under_load(
    url: str, bodies: Path, name: str, seconds: float, content_type: str = wrk.JSON
) -> Figures:
    """A hundred rows per request, on one connection and on four."""
    one, four = (wrk.load(url, bodies, connections, seconds, content_type) for connections in (1, 4))
    return {
        f"{name}_c1_ms": one["p50"],
        f"{name}_c1_rows": BATCH * one["rate"],
        f"{name}_c4_rows": BATCH * four["rate"],
        f"{name}_errors": one["errors"] + four["errors"],
    }


def is_right(body: bytes, right: list[float]) -> bool:
    """Whether the scores of an answer are those of the booster."""
    return difference(body, right) <= TOLERANCE


def difference(body: bytes | None, right: list[float]) -> float:
    """The largest difference between the scores of an answer and the right ones; infinite where one is missing."""
    found = [] if body is None else scores(json.loads(body))
    if len(found) != len(right):
        return float("inf")
    return max(abs(one - other) for one, other in zip(found, right, strict=True))


def largest_difference(one: Contestant, stage: Stage, right: list[float], port: int) -> float:
    """The largest difference from the booster, of single rows and of a batch."""
    singles = stage.bodies(one.body, 1).read_text().splitlines()[:CHECKED]
    batch = stage.bodies(one.body, BATCH).read_text().split("\n", 1)[0]
    asked = [*((body, right[at : at + 1]) for at, body in enumerate(singles)), (batch, right[:BATCH])]
    return max(difference(post(port, one.path, body.encode()), scores_of) for body, scores_of in asked)


def runtime_alone(stage: Stage) -> Figures:
    """ONNX Runtime in a process of its own: microseconds for a row and for a batch."""
    command = [sys.executable, str(SYSTEMS / "in_process.py"), str(stage.model)]
    done = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, check=True, stdout=subprocess.PIPE)
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found

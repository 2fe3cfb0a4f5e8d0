"""A model that takes 5 ms, asked at 0.5, 1, 2 and 4 times what it can answer, by clients that do not wait.

The real server with contract, routing and journal; its scorer sleeps. Two kinds: 5 ms for each row, so that batches
gain nothing and 200 rows a second are possible; and 5 ms for each call, with batches of at most 4 rows, 800 a second.
Requests of one row arrive at random (Poisson); their latency counts from the moment at which they were due.
Unloaded is one request at a time. Capacity is what the model alone could do.
"""

import argparse
import json
import math
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.serving_contestants import OWN_DOOR, Contestant, granian
from benchmarks.serving_process import Server, free_port
from benchmarks.serving_stage import Stage
from benchmarks.serving_work import PRODUCT

CLIENT = Path(__file__).with_name("open_loop.py")
CALL_MS = 5.0
LOADS = (0.5, 1.0, 2.0, 4.0)
STRETCH, REFUSED_MS, RECOVERY_SECONDS = 3.0, 10.0, 1.0
# After the overload: one request every 25 ms, which a server at rest answers as if unloaded.
LIGHT_SECONDS, LIGHT_EVERY = 3.0, 0.025

Answer = tuple[float, float, int, bool]
Ask = Callable[[list[float]], list[Answer]]


@dataclass(frozen=True)
class Kind:
    """How the model's time is made up, and how many rows a batch may have."""

    name: str
    row_ms: float
    call_ms: float
    batch_rows: int

    @property
    def capacity(self) -> float:
        """Rows per second."""
        return 1000 * self.batch_rows / (self.call_ms + self.row_ms * self.batch_rows)


# The batches of the first are the engine's own affair.
KINDS = (Kind("5 ms per row", CALL_MS, 0.0, 256), Kind("5 ms per call, 4 rows", 0.0, CALL_MS, 4))


def start(kind: Kind, stage: Stage) -> Server:
    """A server with such a model, which has answered once."""
    port = free_port()
    own = {
        "SERVING_ROW_MS": str(kind.row_ms),
        "SERVING_CALL_MS": str(kind.call_ms),
        "SERVING_BATCH_ROWS": str(kind.batch_rows),
        "SEATRIAL_PRODUCT": PRODUCT,
    }
    slow = Contestant(
        "slow", None, granian("rsgi", "slow_model:application", "--factory"), OWN_DOOR, "ours", more=own
    )
    environment = slow.environment(stage.model, port)
    server = Server(slow.arguments(port), environment, stage.product, port, stage.model / "server.log")
    first = stage.bodies("ours", 1).read_text().split("\n", 1)[0].encode()
    try:
        server.wait(OWN_DOOR, first, lambda _: True)
    except RuntimeError:
        server.stop()
        raise
    return server


def asking(server: Server, stage: Stage) -> Ask:
    """Has a client in a process of its own ask when due."""

    def ask(due: list[float]) -> list[Answer]:
        command = [sys.executable, str(CLIENT), str(server.port), OWN_DOOR, str(stage.bodies("ours", 1))]
        done = subprocess.run(command, input=json.dumps(due), check=True, stdout=subprocess.PIPE, text=True)
        return [(moment, ms, status, retry) for moment, ms, status, retry in json.loads(done.stdout)]

    return ask


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Moments of arrivals at random."""
    chance, moments, now = random.Random(seed), [], 0.0  # noqa: S311 - load, not secrets
    while (now := now + chance.expovariate(rate)) < seconds:
        moments.append(now)
    return moments


def every(seconds: float, until: float, first: float = 0.0) -> list[float]:
    """Moments at even distances."""
    return [first + number * seconds for number in range(round((until - first) / seconds))]


def quantile(values: list[float], share: float) -> float:
    """The smallest value that so many values do not exceed; 0 where there is none."""
    ordered = sorted(values)
    return round(ordered[math.ceil(share * len(ordered)) - 1], 2) if ordered else 0.0


def told(answers: list[Answer], seconds: float) -> dict[str, Any]:
    """What became of the requests of one load."""
    accepted = [ms for _, ms, status, _ in answers if status == 200]
    refused = [ms for _, ms, status, _ in answers if status == 503]
    return {
        "asked": len(answers),
        "accepted_per_s": round(len(accepted) / seconds, 1),
        "accepted_p50_ms": quantile(accepted, 0.5),
        "accepted_p99_ms": quantile(accepted, 0.99),
        "refused": len(refused),
        "refused_p99_ms": quantile(refused, 0.99),
        "refused_max_ms": quantile(refused, 1.0),
        "without_retry_after": sum(status == 503 and not retry for _, _, status, retry in answers),
        "other_statuses": sum(status not in (0, 200, 503) for _, _, status, _ in answers),
        "without_answer": sum(status == 0 for _, _, status, _ in answers),
    }


def at_rest(ask: Ask, seconds: float) -> dict[str, float]:
    """p50 and p99 of one request at a time: the calmest of three tries, by p99."""
    tries = [[ms for _, ms, status, _ in ask(every(0.02, seconds)) if status == 200] for _ in range(3)]
    calmest = min(tries, key=lambda found: quantile(found, 0.99))
    return {"p50_ms": quantile(calmest, 0.5), "p99_ms": quantile(calmest, 0.99)}


def recovery(answers: list[Answer], end: float, bound_ms: float) -> float:
    """Seconds from the end of the overload to the last request that was not answered as without load."""
    late = [
        moment - end
        for moment, ms, status, _ in answers
        if moment >= end and (status != 200 or ms > bound_ms)
    ]
    return round(max(late, default=0.0), 3)


def examine(kind: Kind, stage: Stage, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """One kind of model: unloaded, under each load, and after the highest."""
    server = start(kind, stage)
    try:
        ask = asking(server, stage)
        ask(poisson(0.3 * kind.capacity, 1.0, seed=0))
        unloaded = at_rest(ask, min(seconds, 4.0))
        bound = STRETCH * unloaded["p99_ms"]
        say(f"{kind.name}: capacity {kind.capacity:.0f}/s, unloaded {unloaded}, bound {bound:.1f} ms")
        loads = {}
        for load in LOADS:
            loads[f"{load:g}"] = told(ask(poisson(load * kind.capacity, seconds, seed=1)), seconds)
            say(f"  {load:3} x {loads[f'{load:g}']}")
        after = every(LIGHT_EVERY, seconds + LIGHT_SECONDS, seconds)
        answers = ask([*poisson(LOADS[-1] * kind.capacity, seconds, seed=2), *after])
        found = {"recovery_s": recovery(answers, seconds, bound), "asked_after": len(after)}
        say(f"  after {found}")
        return {"capacity": kind.capacity, "unloaded": unloaded, "loads": loads, "after": found}
    finally:
        server.stop()
        stage.forget_journal()


def goal(name: str, value: float | None, limit: float, *, met: bool) -> dict[str, object]:
    """One judged goal."""
    return {"name": name, "value": value, "goal": limit, "met": met}


def goals(name: str, found: dict[str, Any]) -> list[dict[str, object]]:
    """What was promised about a kind of model: the worst load counts."""
    loads = found["loads"].values()
    worst = round(max(one["accepted_p99_ms"] for one in loads) / found["unloaded"]["p99_ms"], 2)
    slowest = max((one["refused_p99_ms"] for one in loads if one["refused"]), default=0.0)
    bad = sum(one["without_retry_after"] + one["other_statuses"] for one in loads)
    lost = sum(one["without_answer"] for one in loads)
    took = found["after"]["recovery_s"]
    return [
        goal(
            f"{name}: p99 of the accepted relative to unloaded",
            worst,
            STRETCH,
            met=worst < STRETCH and all(one["accepted_per_s"] for one in loads),
        ),
        goal(f"{name}: p99 of a refusal (ms)", slowest, REFUSED_MS, met=slowest < REFUSED_MS),
        goal(f"{name}: neither 200 nor 503 with Retry-After", bad, 0, met=bad == 0),
        goal(f"{name}: without an answer", lost, 0, met=lost == 0),
        goal(f"{name}: recovery (s)", took, RECOVERY_SECONDS, met=took <= RECOVERY_SECONDS),
    ]


def main() -> int:
    """0 if every goal is met, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 seconds of each load instead of 15")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    options = parser.parse_args()
    seconds = 2.0 if options.quick else 15.0

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        results = {kind.name: examine(kind, stage, seconds, say) for kind in KINDS}
    judged = [one for name, found in results.items() for one in goals(name, found)]
    report = {
        "benchmark": "overload",
        "versions": {
            "seatrial": version("seatrial"),
            "granian": version("granian"),
            "python": platform.python_version(),
        },
        "results": results,
        "goals": judged,
    }
    for one in judged:
        say(f"{'met    ' if one['met'] else 'NOT met'} {one['name']}: {one['value']} (goal {one['goal']})")
    print(json.dumps(report))
    return 0 if all(one["met"] for one in judged) else 1


if __name__ == "__main__":
    sys.exit(main())

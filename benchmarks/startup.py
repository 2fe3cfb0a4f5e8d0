"""Medians of the time that `import seatrial` and `seatrial --help` take, in ms, bytecode compiled.

Each run is a fresh interpreter, timed from outside: what somebody at a terminal waits for. A first run of
each, not counted, compiles the bytecode and warms the file cache. The bare interpreter is shown beside them.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

GOAL_MS = 250.0
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import seatrial": [sys.executable, "-c", "import seatrial"],
    "seatrial --help": [str(Path(sys.executable).with_name("seatrial")), "--help"],
}
GOALS = ("import seatrial", "seatrial --help")


def compiling_environment() -> dict[str, str]:
    """The environment, less what keeps Python from writing bytecode."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def milliseconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one run in ms; a run that fails ends the benchmark."""
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - begun)


def summary(times: list[float]) -> dict[str, float]:
    """Median, smallest and largest in ms, with the number of runs."""
    return {
        "median_ms": round(statistics.median(times), 1),
        "min_ms": round(min(times), 1),
        "max_ms": round(max(times), 1),
        "runs": len(times),
    }


def measure(runs: int) -> dict[str, dict[str, float]]:
    """Summary by command; the commands take turns, so that a busy moment hits all of them."""
    environment = compiling_environment()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        milliseconds(command, environment)
    for _ in range(runs):
        for name, command in COMMANDS.items():
            times[name].append(milliseconds(command, environment))
    return {name: summary(taken) for name, taken in times.items()}


def goals(results: dict[str, dict[str, float]]) -> list[dict[str, object]]:
    """One record per goal: the median and whether it is below the goal."""
    medians = {name: results[name]["median_ms"] for name in GOALS}
    return [
        {"name": f"{name} (ms)", "value": value, "goal": GOAL_MS, "met": value < GOAL_MS}
        for name, value in medians.items()
    ]


def main() -> int:
    """0 if every goal is met, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 runs of each instead of 21")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    options = parser.parse_args()
    results = measure(5 if options.quick else 21)
    judged = goals(results)
    report = {
        "benchmark": "startup",
        "versions": {"seatrial": version("seatrial"), "python": platform.python_version()},
        "results": results,
        "goals": judged,
    }
    if not options.json:
        for name, figures in results.items():
            print(f"{name:16} {figures['median_ms']:7.1f} ms  ({figures['min_ms']} to {figures['max_ms']})")
    print(json.dumps(report))
    return 0 if all(goal["met"] for goal in judged) else 1


if __name__ == "__main__":
    sys.exit(main())

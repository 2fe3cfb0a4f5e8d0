"""A contract of 18 rules over 20 columns, every failing row found: seconds, peak memory and rows, side by side.

Systems take turns, each run a fresh process that reads Parquet files and reports its own seconds (imports
excluded) and peak memory. The peers' environments come from `make peers`. A second, five times larger table is
scanned by Seatrial alone, with and without the rule of uniqueness. The files (about 100 bytes a row) are written
to a temporary folder and removed.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# With fewer rows, what every run costs alone outweighs them.
ROWS, QUICK_ROWS = 10_000_000, 3_000_000
LARGER = 5
SLOWER, MEMORY_MB = 1.3, 1000.0
BYTES_PER_ROW = 110
OURS, BY_HAND = "seatrial", "polars by hand"
PEERS = {"pandera": "pandera", "pointblank": "pointblank", "great expectations": "great-expectations"}
WORKERS = {
    OURS: "with_seatrial",
    BY_HAND: "by_hand",
    "pandera": "with_pandera",
    "pointblank": "with_pointblank",
    "great expectations": "with_great_expectations",
}
# Its tens of seconds hardly vary, and a round of it takes as long as all others together.
ONCE = ("great expectations",)

# Workers import the rules as part of this folder, whatever Python runs them.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(HERE.parent)}

Run = dict[str, Any]


def interpreter(system: str) -> Path:
    """The Python that runs a system."""
    if system in PEERS:
        return HERE.parent / ".peers" / PEERS[system] / "bin" / "python"
    return Path(sys.executable)


def run(system: str, folder: Path, *more: str) -> Run:
    """What one fresh process reports; a run that fails ends the benchmark."""
    command = [
        str(interpreter(system)),
        str(HERE / "contract_workers" / f"{WORKERS[system]}.py"),
        str(folder),
    ]
    done = subprocess.run(
        [*command, *more], env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    found: Run = json.loads(done.stdout.splitlines()[-1])
    return found


def write(folder: Path, rows: int) -> Run:
    """Write the table; what is planted in it. In a process of its own, for its memory is none of ours."""
    free = shutil.disk_usage(folder).free
    if free < rows * BYTES_PER_ROW:
        sys.exit(
            f"{folder} has {free / 1e9:.1f} GB free, {rows:,} rows need {rows * BYTES_PER_ROW / 1e9:.1f} GB"
        )
    command = [sys.executable, str(HERE / "contract_rows.py"), str(folder), str(rows)]
    subprocess.run(command, env=ENVIRONMENT, check=True)
    truth: Run = json.loads((folder / "broken.json").read_text())
    return truth


def compare(rows: int, rounds: int, say: Any) -> tuple[dict[str, list[Run]], Run]:
    """Every run by system, and what was planted."""
    runs: dict[str, list[Run]] = {name: [] for name in WORKERS if interpreter(name).exists()}
    with tempfile.TemporaryDirectory() as place:
        truth = write(Path(place), rows)
        for turn in range(rounds):
            for name, taken in runs.items():
                if turn == 0 or name not in ONCE:
                    taken.append(run(name, Path(place)))
                    say(f"{name:20} {taken[-1]['seconds']:7.2f} s {taken[-1]['peak_mb']:7.0f} MB")
    return runs, truth


def scan_larger(rows: int, say: Any) -> tuple[dict[str, Run], Run]:
    """The larger table, with and without uniqueness, and what was planted."""
    with tempfile.TemporaryDirectory() as place:
        truth = write(Path(place), rows)
        runs = {"all rules": run(OURS, Path(place)), "no uniqueness": run(OURS, Path(place), "no-uniqueness")}
    for name, one in runs.items():
        say(f"{rows:,} rows, {name:14} {one['seconds']:7.2f} s {one['peak_mb']:7.0f} MB")
    return runs, truth


def summary(runs: list[Run]) -> Run:
    """Median, smallest and largest seconds, the highest peak, and how many rows were found to fail."""
    seconds = [one["seconds"] for one in runs]
    return {
        "median_s": round(statistics.median(seconds), 2),
        "min_s": round(min(seconds), 2),
        "max_s": round(max(seconds), 2),
        "runs": len(runs),
        "peak_mb": round(max(one["peak_mb"] for one in runs)),
        "found": runs[-1]["found"],
    }


def goal(name: str, value: float | None, limit: float, *, met: bool) -> dict[str, object]:
    """One judged goal."""
    return {"name": name, "value": value, "goal": limit, "met": met}


def goals(results: dict[str, Run], runs: dict[str, list[Run]], truth: Run) -> list[dict[str, object]]:
    """Exactness, speed against the query by hand and each peer, and memory."""
    ours = results[OURS]
    exact = all(one["places"] == truth["places"] for one in runs[OURS])
    ratio = round(ours["median_s"] / results[BY_HAND]["median_s"], 2)
    judged = [
        goal("failing rows found exactly", ours["found"], truth["found"], met=exact),
        goal("seconds relative to the query by hand", ratio, SLOWER, met=ratio <= SLOWER),
        goal("peak memory (MB)", ours["peak_mb"], MEMORY_MB, met=ours["peak_mb"] < MEMORY_MB),
    ]
    for name in PEERS:
        # A peer whose environment was not made is a goal that was not shown to be met.
        share = round(ours["median_s"] / results[name]["median_s"], 2) if name in results else None
        judged.append(goal(f"seconds relative to {name}", share, 1.0, met=share is not None and share < 1))
    return judged


def larger_goals(rows: int, runs: dict[str, Run], truth: Run) -> list[dict[str, object]]:
    """Exactness and memory at the larger size."""
    whole, peak = runs["all rules"], max(one["peak_mb"] for one in runs.values())
    exact = whole["places"] == truth["places"]
    return [
        goal(f"failing rows found exactly in {rows:,}", whole["found"], truth["found"], met=exact),
        goal(f"peak memory (MB) at {rows:,} rows", round(peak), MEMORY_MB, met=peak < MEMORY_MB),
    ]


def main() -> int:
    """0 if every goal is met, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} rows instead of {ROWS:,}")
    parser.add_argument("--rows", type=int, help="rows of the table that all systems read")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    options = parser.parse_args()
    rows = options.rows or (QUICK_ROWS if options.quick else ROWS)

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    runs, truth = compare(rows, 4 if options.quick else 3, say)
    results = {name: summary(taken) for name, taken in runs.items()}
    larger, larger_truth = scan_larger(LARGER * rows, say)
    judged = [*goals(results, runs, truth), *larger_goals(LARGER * rows, larger, larger_truth)]
    named = {
        "seatrial": version("seatrial"),
        "polars": version("polars"),
        "python": platform.python_version(),
    }
    results |= {f"{LARGER * rows:,} rows, {name}": summary([one]) for name, one in larger.items()}
    report = {
        "benchmark": "contract_scan",
        "versions": named,
        "rows": rows,
        "results": results,
        "goals": judged,
    }
    print(json.dumps(report))
    return 0 if all(one["met"] for one in judged) else 1


if __name__ == "__main__":
    sys.exit(main())

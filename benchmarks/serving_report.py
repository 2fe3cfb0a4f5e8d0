"""From the figures of all turns to medians, ratios, goals and a table."""

import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from benchmarks.serving_contestants import BARE, CONSTANT, HAND_MADE, MODEL_SERVERS, OURS, Contestant
from benchmarks.serving_measure import TOLERANCE, Figures

OF_BARE, OF_SERVERS, OF_FASTAPI = 0.75, 12.0, 8.0
P50_MS, OF_RUNTIME, COLD_SECONDS, MEMORY_MB = 0.35, 1.5, 1.5, 200.0
Turns = dict[str, list[Figures]]
Goal = dict[str, object]


def report(found: Turns, alone: list[Figures], asked: Sequence[Contestant]) -> dict[str, Any]:
    """What is printed as JSON; `alone` are the turns of the runtime, one before each of ours."""
    results = {name: medians(turns) for name, turns in found.items()}
    for figures in results.values():
        figures["of_constant"] = round(figures["c32_per_s"] / results[CONSTANT]["c32_per_s"], 3)
        figures["of_bare"] = round(figures["c32_per_s"] / results[BARE]["c32_per_s"], 3)
    results[OURS]["of_bare"] = to_bare(found)
    for name, form in ((OURS, "batch"), (OURS, "arrow"), (BARE, "batch")):
        results[name][f"{form}_of_runtime"] = to_runtime(found[name], form, alone)
    runtime = {
        f"{name}_us": round(statistics.median(one[name] for one in alone), 1) for name in ("one", "batch")
    }
    libraries = {name: version(name) for name in ("seatrial", "granian", "onnxruntime", "msgspec")}
    return {
        "benchmark": "serving",
        "versions": libraries | {"python": platform.python_version()},
        "results": results | {"ONNX Runtime in process": runtime},
        "not_measured": [one.name for one in asked if one.name not in found],
        "goals": [*own_goals(results), *(goal for one in asked for goal in goals_against(one, results))],
    }


def medians(turns: list[Figures]) -> Figures:
    """The median of each figure, and how many turns there were; errors are added up, the worst difference stands."""
    found = {name: statistics.median(one[name] for one in turns) for name in turns[0]}
    found |= {name: sum(one[name] for one in turns) for name in found if name.endswith("errors")}
    rounded = {name: round(value, 3) for name, value in found.items()}
    if "difference" in found:
        rounded["difference"] = max(one["difference"] for one in turns)
    return rounded | {"turns": len(turns)}


def to_bare(found: Turns) -> float:
    """The median ratio of our requests/s to the bare stack's, measured right after it."""
    pairs = zip(found[OURS], found[BARE], strict=True)
    return round(statistics.median(one["c32_per_s"] / other["c32_per_s"] for one, other in pairs), 3)


def to_runtime(turns: list[Figures], form: str, alone: list[Figures]) -> float:
    """The median ratio of a batch's p50 on one connection to the runtime's time, measured right before it."""
    pairs = zip(turns, alone, strict=True)
    return round(statistics.median(1000 * one[f"{form}_c1_ms"] / floor["batch"] for one, floor in pairs), 2)


def own_goals(results: dict[str, Figures]) -> list[Goal]:
    """What is promised of ours alone, and against the floors."""
    ours = results[OURS]
    errors = sum(value for name, value in ours.items() if name.endswith("errors"))
    at_least = [("requests/s at 32 connections relative to the bare stack", ours["of_bare"], OF_BARE)]
    below = [
        ("p50 at 1 connection (ms)", ours["c1_p50_ms"], P50_MS),
        (
            "batch of 100 rows at 1 connection relative to ONNX Runtime: Arrow",
            ours["arrow_of_runtime"],
            OF_RUNTIME,
        ),
        (
            "batch of 100 rows at 1 connection relative to ONNX Runtime: JSON",
            ours["batch_of_runtime"],
            OF_RUNTIME,
        ),
        ("start to first answer (s)", ours["cold_s"], COLD_SECONDS),
        ("memory of a worker and its supervisor (MB)", ours["memory_mb"], MEMORY_MB),
        ("largest difference from the booster", ours["difference"], TOLERANCE),
    ]
    return [
        *(goal(name, value, limit, met=value >= limit) for name, value, limit in at_least),
        *(goal(name, value, limit, met=value < limit) for name, value, limit in below),
        goal("failed requests", errors, 0, met=errors == 0),
    ]


def goals_against(one: Contestant, results: dict[str, Figures]) -> list[Goal]:
    """What is promised against a peer; against one that was not measured nothing was shown."""
    judged = {HAND_MADE.name: OF_FASTAPI} | {server.name: OF_SERVERS for server in MODEL_SERVERS}
    if one.name not in judged:
        return []
    ours, peer, least = results[OURS], results.get(one.name), judged[one.name]
    faster = None if peer is None else round(ours["c32_per_s"] / peer["c32_per_s"], 2)
    share = None if peer is None else round(ours["c32_p99_ms"] / peer["c32_p99_ms"], 3)
    return [
        goal(
            f"requests/s at 32 connections relative to {one.name}",
            faster,
            least,
            met=faster is not None and faster >= least,
        ),
        goal(
            f"p99 at 32 connections relative to {one.name}", share, 1.0, met=share is not None and share < 1
        ),
    ]


def goal(name: str, value: float | None, limit: float, *, met: bool) -> Goal:
    """One judged goal."""
    return {"name": name, "value": value, "goal": limit, "met": met}


COLUMNS = (
    ("cold s", "cold_s", 7, ".2f"),
    ("c1 p50 ms", "c1_p50_ms", 10, ".3f"),
    ("p99", "c1_p99_ms", 7, ".2f"),
    ("c32 req/s", "c32_per_s", 10, ",.0f"),
    ("p99 ms", "c32_p99_ms", 8, ".2f"),
    ("CPU us", "c32_cpu_us", 8, ",.0f"),
    ("100: rows/s", "batch_c1_rows", 12, ",.0f"),
    ("at c4", "batch_c4_rows", 9, ",.0f"),
    ("MB", "memory_mb", 6, ",.0f"),
    ("errors", "errors", 7, ",.0f"),
    ("of constant", "of_constant", 12, ".2f"),
    ("of bare", "of_bare", 8, ".2f"),
)


def table(results: dict[str, Figures]) -> str:
    """The results as text."""
    lines = [" " * 24 + "".join(f"{head:>{width}}" for head, _, width, _ in COLUMNS)]
    for name, figures in results.items():
        cells = (
            f"{figures[key]:>{width}{form}}" if key in figures else " " * width
            for _, key, width, form in COLUMNS
        )
        lines.append(f"{name:24}{''.join(cells)}")
    return "\n".join(lines)

"""One row per POST, JSON, 20 numbers, LightGBM of 200 trees with 31 leaves: Seatrial beside model servers and floors.

Seatrial runs whole: a product made by `seatrial launch`, served by `seatrial serve` with one worker, contract, routing
and journal on. The peers serve the same trees, through scikit-learn's interface on a NumPy matrix, in one process,
from environments that `make peers` makes. Two floors: the same HTTP server answering a constant, and the bare
stack, which decodes, runs ONNX Runtime and answers. One system is up at a time; Seatrial and the floors take turns with
the peers all the while, and medians over the turns are told.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import serving_load as wrk
from benchmarks import serving_models
from benchmarks.serving_contestants import (
    BESIDE,
    HAND_MADE,
    MODEL_SERVERS,
    OTHER_SERVERS,
    TRIO,
    Contestant,
)
from benchmarks.serving_measure import Figures, Seconds, measure, runtime_alone
from benchmarks.serving_report import Turns, report, table
from benchmarks.serving_stage import Stage

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long the loads last, how often the judged peers take a turn, who they are, and who has a single turn."""

    seconds: Seconds
    rounds: int
    judged: tuple[Contestant, ...]
    beside: tuple[Contestant, ...]


FULL = Plan((3.0, 5.0, 3.0), 3, (HAND_MADE, *MODEL_SERVERS), (*BESIDE, *OTHER_SERVERS))
QUICK = Plan((1.0, 2.0, 1.0), 1, (HAND_MADE, MODEL_SERVERS[0]), ())


def turns(plan: Plan) -> Iterator[tuple[Contestant, ...]]:
    """Who is measured one after another, with ours and the floors at the head of every three."""
    for number in range(plan.rounds):
        others = [one for one in (*plan.judged, *(plan.beside if number == 0 else ())) if one.is_there]
        for at in range(0, max(1, len(others)), 3):
            yield (*TRIO, *others[at : at + 3])


def collect(stage: Stage, plan: Plan, say: Say) -> tuple[Turns, list[Figures]]:
    """The figures of every turn by system, and those of the runtime alone."""
    found: Turns = {}
    alone: list[Figures] = []
    right = serving_models.right_scores(stage.model, stage.rows)
    for some in turns(plan):
        alone.append(runtime_alone(stage))
        for one in some:
            try:
                figures = measure(one, stage, right, plan.seconds)
            except RuntimeError as error:
                if one in TRIO:
                    raise
                say(f"  {one.name}: {error}")
                continue
            found.setdefault(one.name, []).append(figures)
            say(f"  {one.name:24} {figures['c32_per_s']:8,.0f}/s  p99 {figures['c32_p99_ms']:7.2f} ms")
    return found, alone


def prepare(stage: Stage, plan: Plan) -> None:
    """What the floors and MLflow need before they can be started."""
    serving_models.write_onnx(stage.model)
    for one in plan.judged:
        if one.peer == "mlflow" and one.is_there:
            command = [str(one.home / "python"), one.command[1], "prepare"]
            subprocess.run(command, env=one.environment(stage.model, 0), check=True, capture_output=True)


def main() -> int:
    """0 if every goal is met, 1 if not, 2 if nothing could be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, with two peers")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    options = parser.parse_args()
    if not wrk.is_there():
        print(wrk.MISSING, file=sys.stderr)
        return 2
    plan = QUICK if options.quick else FULL

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        prepare(stage, plan)
        found, alone = collect(stage, plan, say)
    told = report(found, alone, (*plan.judged, *plan.beside))
    say(table({name: told["results"][name] for name in found}))
    if told["not_measured"]:
        say(f"not measured (not installed, see `make peers`, or failed): {', '.join(told['not_measured'])}")
    for one in told["goals"]:
        say(f"{'met    ' if one['met'] else 'NOT met'} {one['name']}: {one['value']} (goal {one['goal']})")
    print(json.dumps(told))
    return 0 if all(one["met"] for one in told["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())

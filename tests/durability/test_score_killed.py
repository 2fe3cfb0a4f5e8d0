"""Batch scoring that is killed again and again: output and table hold every row exactly once."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.adapters.clock.simulated import SimulatedClock
from seatrial.adapters.outputs.files import FileOutput, open_output
from seatrial.cycle.score import score
from seatrial.ports.workspace import Workspace
from tests.batch_scoring import BAD_EVERY, bookings, file_inputs, is_bad, launched, stored_predictions, work
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.journal import MemoryJournal
from tests.hotel import START, FunctionScorer, NamedRuntime
from tests.parcels_loop import Fate, Killed, MortalMetadata, MortalTables
from tests.score_worker import BATCH, run, workspace

ROOT = Path(__file__).resolve().parents[2]
FILES, ROWS_A_FILE = 3, 500
KILLS = 8


def files_of(folder: Path, kind: str, files: int = FILES, rows: int = ROWS_A_FILE) -> int:
    """Files with bookings in the folder's `in`; how many rows they have."""
    (folder / "in").mkdir(parents=True)
    for number in range(files):
        frame, place = bookings(number * rows, rows), folder / "in" / f"{number}.{kind}"
        frame.write_csv(place) if kind == "csv" else frame.write_parquet(place)
    return files * rows


def same_but_for_ids(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(found.drop("prediction_id"), expected.drop("prediction_id"), check_row_order=True)


def _file_name() -> pl.Expr:
    return pl.col("file").str.split("/").list.last()


def refused_rows(file: Path) -> list[int]:
    return [msgspec.json.decode(line)["row"] for line in file.read_bytes().splitlines()]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_process_killed_at_random_moments_leaves_what_an_undisturbed_one_leaves(
    tmp_path: Path, kind: str
) -> None:
    rows = files_of(tmp_path, kind)
    output = tmp_path / "answers.parquet"
    launched(workspace(tmp_path))
    chance = random.Random(kind)  # noqa: S311 - moments to kill at, not secrets
    command = [sys.executable, "-m", "tests.score_worker", str(tmp_path), kind, str(output)]
    coming = _started(command)
    for _ in range(KILLS):
        worker, coming = coming, _started(command)
        assert _killed(worker, chance.randint(1, 4), chance.uniform(0, 0.02)), (
            "it finished: give it more rows"
        )
    assert _killed(coming, 1, 0)
    found = run(tmp_path, kind, output)
    assert 0 < found.resumed_at < rows
    assert (found.run.rows, found.run.refused) == (rows, rows // BAD_EVERY)

    calm = tmp_path / "calm"
    files_of(calm, kind)
    launched(workspace(calm))
    run(calm, kind, calm / "answers.parquet")
    answers = pl.read_parquet(output)
    expected = pl.read_parquet(calm / "answers.parquet")
    same_but_for_ids(answers.with_columns(_file_name()), expected.with_columns(_file_name()))
    stored = stored_predictions(workspace(tmp_path))
    assert sorted(stored["prediction_id"]) == sorted(answers["prediction_id"])
    both = answers.join(stored, on="prediction_id")
    assert both.select("key", "score", "decision", "made_at").equals(
        both.select(pl.col(f"{name}_right").alias(name) for name in ("key", "score", "decision", "made_at"))
    )
    assert refused_rows(Path(f"{output}.refused.jsonl")) == [
        number for number in range(rows) if is_bad(number)
    ]
    assert run(tmp_path, kind, output).before
    assert not list(tmp_path.glob(".answers*")), "what was needed on the way is gone"


def _started(command: list[str]) -> "subprocess.Popen[str]":
    """A worker that waits for a line before it begins: the next one gets ready while one is at work."""
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _killed(worker: "subprocess.Popen[str]", parts: int, seconds: float) -> bool:
    """Whether the worker was killed in the middle of its work: so long after so many parts."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    with worker.stdin, worker.stdout as said:
        worker.stdin.write("begin\n")
        worker.stdin.flush()
        assert [said.readline() for _ in range(parts)] == ["went on\n"] * parts
        time.sleep(seconds)
        worker.send_signal(signal.SIGKILL)
        return worker.wait(30) == -signal.SIGKILL


class MortalOutput(FileOutput):
    """Files whose every step is a lasting effect."""

    def __init__(self, output: FileOutput, fate: Fate) -> None:
        self.__dict__.update(vars(output))
        self.fate = fate

    def clear(self) -> None:
        super().clear()
        self.fate.felt()

    def put(self, number: int, answers: pl.DataFrame, refused: Sequence[bytes]) -> None:
        super().put(number, answers, refused)
        self.fate.felt()

    def finish(self, parts: int) -> None:
        super().finish(parts)
        self.fate.felt()

    def tidy(self) -> None:
        super().tidy()
        self.fate.felt()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("target", ["answers.csv", "answers.parquet", "answers"])
def test_whatever_step_it_dies_after_the_next_start_ends_the_same(
    tmp_path: Path, kind: str, target: str
) -> None:
    rows = files_of(tmp_path, kind, files=2, rows=BATCH + BATCH // 2)
    expected: pl.DataFrame | None = None
    last = 0
    while True:
        last += 1
        fate = Fate()
        clock = SimulatedClock(START)
        place = Workspace(
            clock=clock,
            metadata=MortalMetadata(clock, fate),
            tables=MortalTables(fate),
            artifacts=MemoryArtifacts(),
            journal=MemoryJournal(),
        )
        launched(place)
        fate.effects, fate.last = 0, last
        folder = tmp_path / str(last)
        folder.mkdir()
        output = MortalOutput(open_output(folder / target, None), fate)
        task = work(place, file_inputs(tmp_path / "in" / f"*.{kind}"), output, batch_rows=BATCH)
        try:
            score(task)
            died = False
        except Killed:
            died = True
            score(task)
        answers = _answers(folder / target)
        expected = answers if expected is None else expected
        same_but_for_ids(answers, expected)
        assert answers["row"].to_list() == [number for number in range(rows) if not is_bad(number)]
        assert sorted(stored_predictions(place)["prediction_id"]) == sorted(answers["prediction_id"])
        if not died:
            break
    assert last > 3 * rows // BATCH, "each chunk has three lasting effects"


def test_a_model_that_is_not_the_same_twice_leaves_one_answer_per_row(tmp_path: Path) -> None:
    files_of(tmp_path, "csv", files=1, rows=3 * BATCH)
    for last in range(1, 12):
        fate = Fate()
        clock = SimulatedClock(START)
        metadata, tables = MortalMetadata(clock, fate), MortalTables(fate)
        place = Workspace(
            clock=clock,
            metadata=metadata,
            tables=tables,
            artifacts=MemoryArtifacts(),
            journal=MemoryJournal(),
        )
        launched(place)
        fate.effects, fate.last = 0, last
        (tmp_path / str(last)).mkdir()
        target = tmp_path / str(last) / "answers.csv"
        output = MortalOutput(open_output(target, None), fate)
        runtime = NamedRuntime(price=FunctionScorer(partial(_other_each_time, count(1))))
        task = work(place, file_inputs(tmp_path / "in" / "*"), output, runtime, batch_rows=BATCH)
        try:
            score(task)
        except Killed:
            score(task)
        found = _answers(target).select("prediction_id", "score").sort("prediction_id")
        stored = stored_predictions(place).select("prediction_id", "score").sort("prediction_id")
        assert_frame_equal(found, stored)
        assert found.height == sum(not is_bad(number) for number in range(3 * BATCH))


def _other_each_time(calls: Iterator[int], inputs: Any) -> Any:
    return np.full(inputs["price"].shape[0], next(calls) / 99)


def _answers(place: Path) -> pl.DataFrame:
    if place.is_dir():
        return pl.read_parquet(place / "part-*.parquet")
    return pl.read_csv(place) if place.suffix == ".csv" else pl.read_parquet(place)

"""Scoring servers that are killed at random under load lose nothing that they acknowledged, and repeat nothing."""

import random
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest

from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.cycle.drain import drain
from seatrial.facts.tables import table_name
from seatrial.ports.workspace import Workspace
from tests.fakes.workspace import memory_workspace
from tests.hotel import hotel_product, row
from tests.serving_fleet import Caller, Fleet, serving_fleet

CALLERS = 3
KILLS = 200
# Between two requests of a caller: who is killed shall not wait for those who ask.
PAUSE = 0.003
REPORTS = "/v1/products/hotel/outcomes"


class Load:
    """Callers that predict and report outcomes, and remember what was acknowledged to them.

    Half of the requests have an idempotency key and are asked again until they are answered; the others are not.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.predicted: list[str] = []
        self.reported: list[str] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.refusals: Counter[int] = Counter()
        self.retried = 0
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.call, args=(number,)) for number in range(CALLERS)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def call(self, caller: int) -> None:
        asking = Caller(self.fleet)
        for turn in count(1_000_000 * caller):
            if self.stop.is_set():
                break
            self.turn(asking, turn, f"key-{turn}" if turn % 2 else None)
        asking.close()

    def turn(self, asking: Caller, number: int, key: str | None) -> None:
        body = {"rows": [row(number), row(number + 1)], **({"idempotency_key": key} if key else {})}
        answer = asking.ask(body)
        while key and (answer is None or answer[0] == 503) and not self.stop.is_set():
            self.retried += 1
            answer = asking.ask(body)
        if answer is None:
            return
        status, said = answer
        if status != 200:
            self.refusals[status] += 1
            return
        predictions = said["predictions"]
        self.answers.update((one["prediction_id"], one) for one in predictions)
        self.predicted += [one["prediction_id"] for one in predictions]
        name = predictions[0]["prediction_id"]
        receipt = asking.ask({"outcomes": [{"prediction_id": name, "is_canceled": True}]}, path=REPORTS)
        if receipt is not None and receipt[0] == 200:
            self.reported.append(name)
        time.sleep(PAUSE)


def kill_at_random(fleet: Fleet, load: Load, chance: random.Random) -> int:
    """How many processes were killed: a worker, both, or all and the supervisor, each after something was answered."""

    def one() -> int:
        return fleet.kill_workers(1)

    def both() -> int:
        return fleet.kill_workers(2)

    everything, kills = fleet.kill_all, 0
    while kills < KILLS:
        seen, deadline = len(load.predicted), time.monotonic() + 30
        while len(load.predicted) == seen:
            fleet.is_up()
            assert time.monotonic() < deadline, f"nothing was answered for 30 seconds, after {kills} kills"
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
        kills += chance.choices((one, both, everything), (4, 3, 3))[0]()
    return kills


def stored(journal: Path) -> Workspace:
    """Everything that the journal holds, drained into tables."""
    reader = FileJournalReader(journal)
    deadline = time.monotonic() + 30
    while reader.being_written() and time.monotonic() < deadline:
        time.sleep(0.05)  # a killed worker holds its lock until the system has done away with it
    workspace = Workspace(**{**vars(memory_workspace()), "journal": reader})
    while drain(workspace, hotel_product()).segments:
        pass
    assert [path.name for path in journal.iterdir() if path.suffix == ".aside"] == []
    return workspace


@pytest.mark.timeout(400)
def test_two_hundred_kills_lose_no_acknowledged_prediction_or_outcome_and_repeat_none(tmp_path: Path) -> None:
    with serving_fleet(tmp_path) as fleet, Load(fleet) as load:
        kill_at_random(fleet, load, random.Random(4))  # noqa: S311 - repeatable chance is wanted
        fleet.wait_until_ready()
    assert load.retried > 0, "some answers were lost on their way"
    assert set(load.refusals) <= {503}
    assert len(load.predicted) == len(set(load.predicted))
    workspace = stored(fleet.journal)
    predictions = workspace.tables.read(table_name("hotel", "predictions"))
    outcomes = workspace.tables.read(table_name("hotel", "outcomes"))
    times = Counter(predictions["prediction_id"].to_list())
    assert [name for name in load.predicted if times[name] != 1] == []
    assert [name for name, found in times.items() if found > 1] == []
    assert [name for name in load.reported if name not in set(outcomes["prediction_id"])] == []
    assert_as_answered(predictions, load)


def assert_as_answered(predictions: pl.DataFrame, load: Load) -> None:
    """What is stored is what was said."""
    for one in predictions.select("prediction_id", "score", "decision", "key", "release").to_dicts():
        if said := load.answers.get(one["prediction_id"]):
            assert {name: said[name] for name in one} == one

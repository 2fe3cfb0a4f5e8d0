"""Everything is killed under load, server workers and control plane: what was acknowledged is in the tables."""

import sys
import threading
from datetime import timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest

from seatrial.cycle.books import ledger_of
from seatrial.facts.tables import table_name
from seatrial.settings import read_settings
from seatrial.wiring import open_workspace
from tests import shop
from tests.shop import LAUNCH, NAME, Commands, Running, kill, order, running, until

CALLERS = 3
ENOUGH = 60
# Longer than the lease that a killed control plane leaves behind.
LATER = timedelta(minutes=1)


class Load:
    """Callers that predict, and report an outcome of every other row, whatever happens to the server."""

    def __init__(self, up: Running) -> None:
        self.up = up
        self.predicted: list[str] = []
        self.reported: list[str] = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.call, args=(number,)) for number in range(CALLERS)]
        for thread in self.threads:
            thread.start()

    def call(self, caller: int) -> None:
        number = 100_000 * caller
        while not self.ended.is_set():
            number += 2
            try:
                self.turn(number)
            except httpx.HTTPError:
                self.ended.wait(0.05)  # its worker is gone: what was not acknowledged was not promised

    def turn(self, number: int) -> None:
        rows = [order(number + place, LAUNCH - timedelta(days=8)) for place in (0, 1)]
        answers = self.up.predict(rows).raise_for_status().json()["predictions"]
        names = [answer["prediction_id"] for answer in answers]
        self.predicted += names
        receipt = self.up.report([{"prediction_id": names[0], "returned": True}]).raise_for_status()
        assert receipt.json()["accepted"] == 1
        self.reported.append(names[0])

    def more(self) -> None:
        """Return once so many more outcomes were acknowledged."""
        wanted = len(self.reported) + ENOUGH
        until(lambda: len(self.reported) >= wanted, "the server answers")

    def end(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    shop.bring(tmp_path)
    commands = Commands([sys.executable, "-m", "seatrial.cli"], tmp_path)
    commands.init("--answers", "answers.yaml")
    commands.json("launch")
    return commands


def test_whatever_was_acknowledged_is_in_the_tables_once_after_workers_and_control_plane_are_killed(
    commands: Commands,
) -> None:
    with running(commands, "--workers", "2") as up:
        load = Load(up)
        try:
            load.more()
            first, second = up.workers()
            kill(first)
            until(lambda: len(set(up.workers()) - {first}) == 2, "another worker takes its place")
            load.more()
            up.kill_control_plane()
            assert second in up.orphans
            load.more()  # the data plane does not need the control plane
            up.kill_all()
        finally:
            load.end()
    with running(commands, later=LATER) as up:
        until(lambda: everything_is_booked(commands, load), "what was left in the journal is booked")
        assert up.stop() == 0
    workspace = open_workspace(read_settings({"workspace": str(commands.folder / ".seatrial")}, {}))
    predictions = workspace.tables.read(table_name(NAME, "predictions"))
    workspace.metadata.close()
    assert set(load.predicted) <= set(predictions["prediction_id"])
    assert not predictions.select("prediction_id", "release").is_duplicated().any()


def everything_is_booked(commands: Commands, load: Load) -> bool:
    """Whether the ledger has every acknowledged prediction, with its outcome where one was acknowledged."""
    workspace = open_workspace(read_settings({"workspace": str(commands.folder / ".seatrial")}, {}))
    ledger = ledger_of(workspace, NAME)
    workspace.metadata.close()
    joined = ledger.filter(pl.col("label").is_not_null())["prediction_id"]
    return set(load.predicted) <= set(ledger["prediction_id"]) and set(load.reported) <= set(joined)

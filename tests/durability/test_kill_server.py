"""A scoring server that is killed under load has lost nothing that it acknowledged."""

import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.facts.records import decode_outcome, decode_prediction
from tests.hotel import row
from tests.scoring_server import Server, scoring_server

CALLERS = 4
ENOUGH = 150


class Load:
    """Callers that predict and report outcomes until the server is gone, and remember what it acknowledged."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.predicted: set[str] = set()
        self.reported: set[str] = set()
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self.call, args=(number,)) for number in range(CALLERS)]

    def call(self, caller: int) -> None:
        with httpx.Client(base_url=self.server.url, timeout=20) as client:
            for turn in range(100_000):
                try:
                    self.turn(client, 1000 * caller + turn)
                except httpx.HTTPError:
                    return

    def turn(self, client: httpx.Client, number: int) -> None:
        rows = [row(number), row(number + 1)]
        answer: Any = client.post("/v1/products/hotel/predict", json={"rows": rows}).raise_for_status().json()
        names = [prediction["prediction_id"] for prediction in answer["predictions"]]
        self.predicted.update(names)
        report = {"outcomes": [{"prediction_id": names[0], "is_canceled": True}]}
        receipt: Any = client.post("/v1/products/hotel/outcomes", json=report).raise_for_status().json()
        if receipt["accepted"] == 1:
            self.reported.add(names[0])
        if len(self.reported) >= ENOUGH:
            self.enough.set()


def test_every_acknowledged_prediction_and_outcome_is_in_the_journal_after_a_kill(tmp_path: Path) -> None:
    with scoring_server(tmp_path) as server:
        load = Load(server)
        for thread in load.threads:
            thread.start()
        assert load.enough.wait(60)
        server.end(signal.SIGKILL)
        for thread in load.threads:
            thread.join(30)
    reader = FileJournalReader(server.journal)
    deadline = time.monotonic() + 30
    while reader.being_written() and time.monotonic() < deadline:
        time.sleep(0.05)  # a killed worker holds its lock until the system has done away with it
    segments = reader.sealed()
    records = {
        kind: [r for s in segments if s.kind == kind for r in s.records]
        for kind in ("predictions", "outcomes")
    }
    predicted = [decode_prediction(record).prediction_id for record in records["predictions"]]
    reported = {decode_outcome(record).prediction_id for record in records["outcomes"]}
    assert load.predicted <= set(predicted)
    assert len(predicted) == len(set(predicted)), "no prediction is journaled twice"
    assert load.reported <= reported

"""The scoring server as its callers know it: a real process, real HTTP."""

import signal
import threading
import time
from pathlib import Path

import httpx

from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.facts.records import decode_predictions
from tests.hotel import row
from tests.scoring_server import scoring_server

PREDICT = "/v1/products/hotel/predict"


def test_rows_are_answered_outcomes_taken_and_bad_requests_explained(tmp_path: Path) -> None:
    with scoring_server(tmp_path) as server:
        answer = server.ask(PREDICT, {"rows": [row(1), row(2, price=900.0)], "idempotency_key": "k"})
        again = server.ask(PREDICT, {"rows": [row(1), row(2, price=900.0)], "idempotency_key": "k"})
        assert answer.json()["predictions"] == again.json()["predictions"]
        assert [prediction["decision"] for prediction in answer.json()["predictions"]] == [False, True]
        name = answer.json()["predictions"][0]["prediction_id"]
        outcome = {"prediction_id": name, "is_canceled": False}
        assert server.ask("/v1/products/hotel/outcomes", {"outcomes": [outcome]}).json()["accepted"] == 1
        refused = server.ask(PREDICT, {"rows": [row(1, price="much")]})
        assert refused.status_code == 400
        assert [detail["field"] for detail in refused.json()["details"]] == ["price"]
        assert "seatrial_rows_total" in server.ask("/metrics").text


def test_releases_swap_under_load_without_a_failed_request(tmp_path: Path) -> None:
    with scoring_server(tmp_path) as server:
        releases: list[str] = []
        failures: list[int] = []
        stop = threading.Event()

        def call(caller: int) -> None:
            number = 1000 * caller
            with httpx.Client(base_url=server.url, timeout=20) as client:
                while not stop.is_set():
                    number += 1
                    answer = client.post(PREDICT, json={"rows": [row(number)]})
                    if answer.status_code != 200:
                        failures.append(answer.status_code)
                        return
                    releases.append(answer.json()["predictions"][0]["release"])

        threads = [threading.Thread(target=call, args=(caller,)) for caller in range(3)]
        for thread in threads:
            thread.start()
        for names in ("r0001 r0002", "r0002", "r0001", "r0003"):
            server.release(names)
            wanted = names.split()[-1]
            seen = len(releases)
            for _ in range(600):
                if wanted in releases[seen:] or failures:
                    break
                time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join(30)
        assert not failures
        assert {"r0001", "r0002", "r0003"} <= set(releases)


def test_a_server_that_is_asked_to_end_seals_its_journal(tmp_path: Path) -> None:
    with scoring_server(tmp_path) as server:
        answer = server.ask(PREDICT, {"rows": [row(1)]}).json()
        server.end(signal.SIGTERM)
        assert not list(server.journal.glob("*.open"))
    [segment] = FileJournalReader(server.journal).sealed()
    names = [name for record in segment.records for name in decode_predictions(record).prediction_id]
    assert names == [answer["predictions"][0]["prediction_id"]]

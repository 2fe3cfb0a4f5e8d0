"""Releases that change under load: no request fails, no answer is half of one and half of another, the old ones go."""

import threading
import time
from collections import defaultdict, deque
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

from tests.hotel import row
from tests.serving_fleet import Caller, Fleet, serving_fleet
from tests.swap_server import acts, score_of

CALLERS = 3
RECONNECT = 5
# Live, or live and canary: promotions, roll-backs, canaries that come, go and become live.
COURSE = """
2; 1; 1 2; 2; 2 3; 2; 1; 3; 3 4; 4; 3; 4 5; 5; 5 6; 5; 4; 6; 6 1; 1; 7
"""


class Load:
    """Callers that send a few rows at a time, and look at each answer."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.answers = 0
        self.problems: list[Any] = []
        self.lately: deque[frozenset[str]] = deque(maxlen=40)  # releases of the last answers
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
            answer = asking.ask({"rows": [row(5 * turn + number) for number in range(5)]})
            if answer is None or answer[0] != 200:
                self.problems.append(answer)
            else:
                self.look_at(answer[1])
            if turn % RECONNECT == 0:  # so that both workers are asked
                asking.close()
            time.sleep(0.002)
        asking.close()

    def look_at(self, answer: dict[str, Any]) -> None:
        predictions = answer["predictions"]
        live = {one["release"] for one in predictions if one["variant"] == "live"}
        tried = {one["release"] for one in predictions if one["variant"] == "canary"}
        if len(predictions) != 5 or not live <= {answer["release"]} or len(tried) > 1 or live & tried:
            self.problems.append(answer)
        self.problems += [one for one in predictions if not is_of_one_release(one)]
        self.lately.append(frozenset(live | tried))
        self.answers += 1


def is_of_one_release(prediction: dict[str, Any]) -> bool:
    """Whether score and decision are those of the release that is named."""
    number = int(prediction["release"].removeprefix("r"))
    scored = prediction["score"] == pytest.approx(score_of(number), abs=1e-9)
    return scored and prediction["decision"] is acts(number) and prediction["fallback"] is None


def wait_until_served(load: Load, wanted: set[str]) -> None:
    """Return once the last answers were given by these releases alone."""
    deadline = time.monotonic() + 30
    while load.problems == [] and time.monotonic() < deadline:
        last = list(load.lately)
        if len(last) == load.lately.maxlen and set().union(*last) == wanted:
            return
        time.sleep(0.01)
    assert load.problems == []
    raise AssertionError(f"{wanted} did not serve within 30 seconds")


def still_open(diary: Path) -> dict[str, set[str]]:
    """The models that each worker has loaded and not closed, by process."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in diary.read_text().splitlines():
        process, name, what = line.split()
        (found[process].add if what == "opened" else found[process].remove)(name)
    return found


def test_twenty_swaps_under_load_fail_no_request_and_mix_no_releases(tmp_path: Path) -> None:
    with serving_fleet(tmp_path, app="tests.swap_server:app") as fleet, Load(fleet) as load:
        wait_until_served(load, {"r0001"})
        course = [[f"r{int(number):04d}" for number in names.split()] for names in COURSE.split(";")]
        for names in course:
            load.lately.clear()
            fleet.release(" ".join(names))
            wait_until_served(load, set(names))
        deadline = time.monotonic() + 30
        while any(len(names) > 1 for names in still_open(tmp_path / "diary").values()):
            assert time.monotonic() < deadline, still_open(tmp_path / "diary")
            time.sleep(0.05)
        left = still_open(tmp_path / "diary")
    assert len(course) == 20
    assert load.problems == []
    assert load.answers > 20 * 40
    assert len(left) == 2, "both workers served"
    last = int(course[-1][0].removeprefix("r"))
    assert {name.split("/")[0] for names in left.values() for name in names} == {repr(score_of(last))}

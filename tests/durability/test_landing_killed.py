"""A landing that is killed again and again takes every row in exactly once."""

import random
import subprocess
import sys
import time
from pathlib import Path

from seatrial.data.loads import loads_of, stored_rows
from seatrial.data.quarantine import open_rows
from tests.landing_worker import BAD_EVERY, BATCH, BATCHES, land, workspace

ROWS = BATCH * BATCHES
KILLS = 4
# Longer than a lease: who was killed holds his no more when the next one begins.
APART = 60


def test_killed_anywhere_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311 - moments to kill at, not secrets
    killed = 0
    for turn in range(KILLS):
        command = [sys.executable, "-m", "tests.landing_worker", str(tmp_path), str(turn * APART)]
        worker = subprocess.Popen(command)
        time.sleep(1.2 + chance.random())
        killed += worker.poll() is None
        worker.kill()
        worker.wait(30)
    land(tmp_path, KILLS * APART)
    assert killed, "nothing was killed: the feed is too short for this machine"
    stage = workspace(tmp_path)
    with stage.metadata.begin() as transaction:
        loads = loads_of(transaction, "harbour", "calls")
    assert [load.number for load in loads] == list(range(1, len(loads) + 1))
    landed = stored_rows(stage.tables, loads[-1])["call"].to_list()
    assert landed == [f"c{n}" for n in range(ROWS) if n % BAD_EVERY]
    aside = open_rows(stage.tables, "harbour", source="calls")
    assert aside.height == ROWS // BAD_EVERY

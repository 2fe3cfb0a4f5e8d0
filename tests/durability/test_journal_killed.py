"""What a process acknowledged before it was killed is in the journal afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seatrial.adapters.journal.reader import FileJournalReader

_APPEND_FOR_EVER = """
import sys
from seatrial.adapters.journal.writer import FileJournalWriter
writer = FileJournalWriter(sys.argv[1], fsync="batch" if sys.argv[2] == "batch" else 0.01, segment_bytes=20_000)
group = 0
while True:
    writer.append("predictions", [b"%d.%d " % (group, row) + b"x" * 300 for row in range(3)])
    writer.append("outcomes", [b"%d" % group])
    print(group, flush=True)
    if group % 7 == 0:
        writer.tick()
    group += 1
"""


def _killed_after(folder: Path, fsync: str, groups: int) -> int:
    """The last group that a child acknowledged before it was killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", _APPEND_FOR_EVER, str(folder), fsync], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as acknowledged:
        lines = [acknowledged.readline() for _ in range(groups)]
        child.send_signal(signal.SIGKILL)
        lines += acknowledged.readlines()
    assert child.wait() == -signal.SIGKILL
    return int([line for line in lines if line.endswith("\n")][-1])


@pytest.mark.parametrize(("fsync", "groups"), [("interval", 1), ("interval", 300), ("batch", 40)])
def test_every_acknowledged_record_is_found_after_a_kill(tmp_path: Path, fsync: str, groups: int) -> None:
    last = _killed_after(tmp_path, fsync, groups)
    segments = FileJournalReader(tmp_path).sealed()
    predictions = [r for segment in segments if segment.kind == "predictions" for r in segment.records]
    outcomes = [r for segment in segments if segment.kind == "outcomes" for r in segment.records]
    names = [record.split()[0] for record in predictions]
    assert names == [b"%d.%d" % (index // 3, index % 3) for index in range(len(names))]
    assert len(names) >= 3 * (last + 1)
    assert outcomes == [b"%d" % index for index in range(len(outcomes))]
    assert len(outcomes) >= last + 1
    assert not list(tmp_path.glob("*.open"))


def test_a_stopped_writer_is_not_a_dead_one(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _APPEND_FOR_EVER, str(tmp_path), "interval"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as acknowledged:
        acknowledged.readline()
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        FileJournalReader(tmp_path).sealed()
        still_open = list(tmp_path.glob("*.open"))
        child.kill()
    child.wait()
    assert still_open
    FileJournalReader(tmp_path).sealed()
    assert not list(tmp_path.glob("*.open"))

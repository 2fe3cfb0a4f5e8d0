"""A full disk loses nothing that was stored, says so, and is over when there is room again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_APPENDS = """
import json
import resource
import sys

import polars as pl

from seatrial.adapters.artifacts.store import open_artifacts
from seatrial.adapters.tables.delta import DeltaTables
from seatrial.errors import StorageFailed

tables = DeltaTables(sys.argv[1])
big = pl.DataFrame({"text": [str(n) * 20 for n in range(20_000)]})
told = []

def attempt(name, act):
    try:
        told.append([name, act()])
    except StorageFailed as error:
        told.append([name, f"{error.code} {error.retryable} {error}"])

def full(limit, name, act):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    attempt(name, act)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)

def append(version):
    return tables.append("people", big, writer="w", version=version)

attempt("first", lambda: tables.append("people", big.head(5), writer="w", version=0))
full(1000, "rows do not fit", lambda: append(1))
full(0, "nothing fits", lambda: append(1))
attempt("rows afterwards", lambda: tables.rows("people"))
attempt("committed afterwards", lambda: tables.version("people", "w"))
attempt("same append again", lambda: append(1))
attempt("and again", lambda: append(1))
full(1000, "rewriting does not fit", lambda: tables.rewrite("people", lambda rows: rows.head(15_000)))
attempt("rows at the end", lambda: tables.rows("people"))
full(0, "new table does not fit", lambda: tables.append("other", big, writer="w", version=0))
attempt("new table", lambda: tables.append("other", big, writer="w", version=0))
artifacts = open_artifacts(sys.argv[1] + "/artifacts")
full(1000, "artifact does not fit", lambda: artifacts.put(b"x" * 100_000))
attempt("artifacts there", lambda: list(artifacts.digests()))
attempt("artifact", lambda: len(artifacts.get(artifacts.put(b"x" * 100_000))))
print(json.dumps(told))
"""


def test_rows_that_do_not_fit_on_the_disk_are_refused_whole_and_stored_when_there_is_room(
    tmp_path: Path,
) -> None:
    # In a process of its own: the limit holds for every file that a process writes.
    child = subprocess.run(
        [sys.executable, "-c", _APPENDS, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    told = dict(json.loads(child.stdout))
    refused = {name: told.pop(name) for name in list(told) if name.endswith(("not fit", "nothing fits"))}
    for name, error in refused.items():
        assert error.startswith(("storage_failed True table ", "storage_failed True artifact ")), name
        assert "see that the disk has room" in error, name
    assert len(refused) == 5
    assert told == {
        "first": True,
        "rows afterwards": 5,
        "committed afterwards": 0,
        "same append again": True,
        "and again": False,
        "rows at the end": 20_005,
        "new table": True,
        "artifacts there": [],
        "artifact": 100_000,
    }


_ANSWERS = """
import json
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from seatrial.adapters.journal.reader import FileJournalReader
from seatrial.adapters.journal.writer import FileJournalWriter
from seatrial.errors import JournalUnavailable
from seatrial.facts.records import decode_predictions
from seatrial.serve.engine import Engine
from seatrial.serve.routing import Routes
from tests.fakes.clock import MemoryClock
from tests.hotel import PRODUCT_FILE, hotel_product, loaded, row

folder, fsync, unavailable = sys.argv[1:]
section = f"serve: {{journal: {{fsync: {fsync}, unavailable: {unavailable}}}}}"
product = hotel_product(file=PRODUCT_FILE + section)
writer = FileJournalWriter(folder, fsync=product.file.serve.journal.fsync)
engine = Engine(Routes.of(loaded(product=product)), writer, MemoryClock(datetime(2025, 1, 1, tzinfo=UTC)))
told, answered = [], []

def ask(name):
    try:
        answers = engine.predict([row(number) for number in range(20)])
        answered.append([one.prediction_id for one in answers.predictions])
        told.append([name, "answered"])
    except JournalUnavailable as error:
        told.append([name, f"{error.code} {error.retryable}"])

def full(limit, name):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    ask(name)
    try:
        writer.tick()
    except JournalUnavailable:
        told.append([name + ", tick", "told"])
    resource.setrlimit(resource.RLIMIT_FSIZE, before)

full(0, "nothing fits")
ask("room")
written = next(Path(folder).glob("*.open")).stat().st_size
full(written + 100, "a part fits")
full(written + 100, "still a part")
ask("room again")
writer.close()
records = [record for segment in FileJournalReader(folder).sealed() for record in segment.records]
cut = sum(segment.cut_bytes for segment in FileJournalReader(folder).sealed())
kept = [decode_predictions(record).prediction_id for record in records]
lost = sum(engine.counters.journal_lost.values())
print(json.dumps({"told": told, "kept": kept, "answered": answered, "lost": lost, "cut": cut}))
"""


@pytest.mark.parametrize("fsync", ["batch", "1s"])
@pytest.mark.parametrize("unavailable", ["refuse", "answer"])
def test_when_the_journal_is_full_answers_are_refused_or_counted_as_the_product_says(
    tmp_path: Path, fsync: str, unavailable: str
) -> None:
    command = [sys.executable, "-c", _ANSWERS, str(tmp_path), fsync, unavailable]
    child = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    refused = "answered" if unavailable == "answer" else "journal_unavailable True"
    assert found["told"] == [
        ["nothing fits", refused],
        ["room", "answered"],
        ["a part fits", refused],
        ["still a part", refused],
        ["room again", "answered"],
    ]
    # What was recorded is what was answered while there was room, whole; nothing torn is between.
    given = found["answered"]
    assert found["kept"] == ([given[1], given[4]] if unavailable == "answer" else given)
    assert (found["lost"], found["cut"]) == (60 if unavailable == "answer" else 0, 0)

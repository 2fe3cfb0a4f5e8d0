"""A process that is killed while it brings lookups up to date leaves them as they were; the next one goes on."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import polars as pl

from seatrial.adapters.artifacts.store import open_artifacts
from seatrial.adapters.lookups.store import LmdbLookups
from seatrial.contract.types import TIMESTAMP
from seatrial.facts.lookups import PublishedLookup
from seatrial.product.lookup_changes import changes
from seatrial.product.lookup_files import to_bytes
from seatrial.product.lookups import prepare
from seatrial.product.schema import Lookup

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
CITIES = 2_000
LOOKUP = Lookup(on=("city",), as_of="seen", columns=("rain",))
# Brings the store up to date; with "die", is killed when it asks for the part of that number.
_OPEN = """
import os, signal, sys
from pathlib import Path
import msgspec
from seatrial.adapters.artifacts.store import open_artifacts
from seatrial.adapters.lookups.store import LmdbLookups
from seatrial.facts.lookups import PublishedLookup
from seatrial.product.schema import Lookup

folder, published, fatal = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=PublishedLookup), int(sys.argv[3])

class Mortal:
    def __init__(self, artifacts):
        self.artifacts, self.left = artifacts, fatal
    def get(self, digest):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.artifacts.get(digest)

store = LmdbLookups(folder / "lookups", Mortal(open_artifacts(folder / "artifacts")))
print("ready", flush=True)
sys.stdin.readline()
lookup = Lookup(on=("city",), as_of="seen", columns=("rain",))
table = store.open("weather", published, lookup, ("rain",))
print(sum(table.get((f"city-{number}",), 2**60)[0] for number in range(2000)), flush=True)
"""


def weather(hours: int) -> pl.DataFrame:
    """Rain of every city at each hour: the hour's number."""
    cities = [f"city-{number}" for number in range(CITIES)]
    raw = pl.DataFrame(
        [(city, NOON + timedelta(hours=hour), hour) for hour in range(hours) for city in cities],
        schema={"city": pl.String, "seen": TIMESTAMP, "rain": pl.Int64},
        orient="row",
    )
    return prepare(raw, LOOKUP, {"rain": "rain"})


def publications(folder: Path) -> list[PublishedLookup]:
    """The whole table of one hour, then with one increment, then with two."""
    artifacts = open_artifacts(folder / "artifacts")
    tables = [weather(hours) for hours in (1, 2, 3)]
    increments = [artifacts.put(to_bytes(changes(old, new, LOOKUP.on))) for old, new in pairwise(tables)]
    base = artifacts.put(to_bytes(tables[0]))
    return [
        PublishedLookup(on=LOOKUP.on, base=base, increments=tuple(increments[:count])) for count in range(3)
    ]


def start(folder: Path, published: PublishedLookup, *, fatal: int = 0) -> "subprocess.Popen[str]":
    arguments = [str(folder), msgspec.json.encode(published).decode(), str(fatal)]
    child = subprocess.Popen(
        [sys.executable, "-c", _OPEN, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def rain(folder: Path, published: PublishedLookup) -> set[int]:
    """What a store of this process finds, at the last moment, over all cities."""
    store = LmdbLookups(folder / "lookups", open_artifacts(folder / "artifacts"))
    table = store.open("weather", published, LOOKUP, ("rain",))
    assert table is not None
    found = [table.get((f"city-{number}",), 2**60) for number in range(CITIES)]
    return {row[0] for row in found if row is not None}


def test_killed_while_the_whole_table_is_read_nothing_is_there_and_the_next_process_begins_anew(
    tmp_path: Path,
) -> None:
    whole, *_ = publications(tmp_path)
    child = start(tmp_path, whole, fatal=1)
    child.communicate("go\n")
    assert child.returncode == -signal.SIGKILL
    assert rain(tmp_path, whole) == {0}


def test_killed_between_two_increments_none_of_them_is_there(tmp_path: Path) -> None:
    whole, _, both = publications(tmp_path)
    assert rain(tmp_path, whole) == {0}
    child = start(tmp_path, both, fatal=2)  # the first increment is written by then, and not committed
    child.communicate("go\n")
    assert child.returncode == -signal.SIGKILL
    assert rain(tmp_path, whole) == {0}
    assert rain(tmp_path, both) == {2}


def test_processes_that_open_a_publication_at_once_all_find_it_whole(tmp_path: Path) -> None:
    *_, both = publications(tmp_path)
    children = [start(tmp_path, both) for _ in range(3)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate()[0] for child in children] == [f"{2 * CITIES}\n"] * 3
    assert len(list((tmp_path / "lookups").glob("*/*"))) == 1


def test_what_another_process_applied_is_found_without_applying_it_again(tmp_path: Path) -> None:
    whole, one, _ = publications(tmp_path)
    store = LmdbLookups(tmp_path / "lookups", open_artifacts(tmp_path / "artifacts"))
    table = store.open("weather", whole, LOOKUP, ("rain",))
    assert table is not None
    child = start(tmp_path, one)
    assert child.communicate("go\n")[0] == f"{CITIES}\n"
    assert table.get(("city-7",), 2**60) == [1]
    assert table.environment.bring_up_to(one, open_artifacts(tmp_path / "artifacts")) == 0

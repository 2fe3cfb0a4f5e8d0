"""What every output of batch scoring promises."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.adapters.outputs.files import open_output
from seatrial.errors import Conflict, StorageFailed
from seatrial.ports.outputs import PartCounts, ScoringOutput
from tests.fakes.outputs import MemoryOutput

AT = datetime(2025, 1, 31, 6, tzinfo=UTC)
FORMATS = ("parquet", "csv", "jsonl", "arrow")
Opened = Callable[[], ScoringOutput]


def answers(first: int, count: int = 3) -> pl.DataFrame:
    """Rows with a text that needs quotes, and a score that may be missing."""
    return pl.DataFrame(
        {
            "row": pl.int_range(first, first + count, eager=True),
            "key": [f'a "b",\n{number}' for number in range(first, first + count)],
            "score": [0.1 * number if number % 2 else None for number in range(first, first + count)],
            "fallback": [
                "breaker open" if number % 3 == 0 else None for number in range(first, first + count)
            ],
            "made_at": pl.Series([AT] * count, dtype=pl.Datetime("us", "UTC")),
        },
        schema_overrides={"score": pl.Float64, "fallback": pl.String},
    )


@pytest.fixture(params=["memory", "folder", *(f"file.{kind}" for kind in FORMATS)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens the same place again and again, as processes that follow each other do."""
    if request.param == "memory":
        one = MemoryOutput()
        return lambda: one
    return lambda: open_output(tmp_path / "deep" / request.param, None)


def test_nothing_is_missing_of_what_was_put(opened: Opened) -> None:
    output = opened()
    assert not output.holds_other()
    assert len(output.missing(2, finished=False)) == 2
    output.put(0, answers(0), [])
    output.put(1, answers(3), [b'{"row": 9}'])
    assert opened().missing(2, finished=False) == []
    assert len(opened().missing(3, finished=False)) == 1


def test_what_a_part_holds_can_be_counted_afterwards(opened: Opened) -> None:
    opened().put(0, answers(0, 7), [b"{}", b"{}"])
    opened().put(1, answers(7, 0), [])
    assert opened().held(0) == PartCounts(answered=7, fallbacks=3, refused=2)
    assert opened().held(1) == PartCounts(answered=0, fallbacks=0, refused=0)


def test_once_finished_it_is_there_and_stays_so_when_it_is_finished_again(opened: Opened) -> None:
    for number in range(3):
        opened().put(number, answers(3 * number), [])
    for _ in range(2):
        opened().finish(3)
        assert opened().missing(3, finished=True) == []
    opened().tidy()
    opened().tidy()
    assert opened().missing(3, finished=True) == []
    assert opened().holds_other()


def test_parts_of_an_earlier_run_can_be_removed(opened: Opened) -> None:
    opened().put(0, answers(0), [b"{}"])
    opened().clear()
    opened().clear()
    assert len(opened().missing(1, finished=False)) == 1


def test_two_at_once_are_kept_apart(opened: Opened) -> None:
    with opened().claimed(), pytest.raises(Conflict, match="another process"), opened().claimed():
        pass
    with opened().claimed():
        pass


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_holds_all_parts_in_order(tmp_path: Path, kind: str) -> None:
    output = open_output(tmp_path / f"answers.{kind}", None)
    for number in range(12):
        output.put(number, answers(3 * number), [])
    output.finish(12)
    expected = pl.concat(answers(3 * number) for number in range(12))
    assert_frame_equal(read(Path(output.place), kind), expected)
    output.tidy()
    assert [file.name for file in tmp_path.iterdir()] == [f"answers.{kind}"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_holds_parts_that_stand_for_themselves(tmp_path: Path, kind: str) -> None:
    output = open_output(tmp_path / "answers", kind)
    output.put(0, answers(0), [])
    output.put(1, answers(3), [b'{"row":5}', b'{"row":6}'])
    output.finish(2)
    output.tidy()
    ending = {"parquet": "parquet", "csv": "csv", "jsonl": "jsonl", "arrow": "arrow"}[kind]
    parts = sorted((tmp_path / "answers").glob(f"*.{ending}"))
    assert [part.name for part in parts] == [f"part-000000.{ending}", f"part-000001.{ending}"]
    assert_frame_equal(read(parts[1], kind), answers(3))
    assert Path(output.refused_place, "part-000001.jsonl").read_bytes() == b'{"row":5}\n{"row":6}\n'


def test_refused_rows_of_one_file_lie_beside_it_or_where_one_says(tmp_path: Path) -> None:
    beside = open_output(tmp_path / "a.parquet", None)
    asked = open_output(tmp_path / "b", None, tmp_path / "bad.jsonl")
    for output in (beside, asked):
        output.put(0, answers(0), [b'{"row":1}'])
        output.put(1, answers(3), [])
        output.put(2, answers(6), [b'{"row":7}'])
        output.finish(3)
        output.tidy()
        rows = [
            msgspec.json.decode(line)["row"] for line in Path(output.refused_place).read_bytes().splitlines()
        ]
        assert rows == [1, 7]
    assert Path(beside.refused_place) == tmp_path / "a.parquet.refused.jsonl"
    assert Path(asked.refused_place) == tmp_path / "bad.jsonl"


def test_refused_rows_of_an_earlier_run_do_not_stay_beside_new_answers(tmp_path: Path) -> None:
    output = open_output(tmp_path / "a.parquet", None)
    for refused in ([b"{}"], []):
        output.clear()
        output.put(0, answers(0), refused)
        output.finish(1)
        output.tidy()
    assert not Path(output.refused_place).exists()


def test_what_cannot_be_written_is_told_and_leaves_what_was_there(tmp_path: Path) -> None:
    output = open_output(tmp_path / "a.parquet", None)
    output.put(0, answers(0), [])
    output.finish(1)
    before = Path(output.place).read_bytes()
    (tmp_path / ".a.parquet.parts" / "part-000000.parquet").write_bytes(b"no Parquet")
    with pytest.raises(StorageFailed, match="start the same run again"):
        output.finish(1)
    assert Path(output.place).read_bytes() == before
    assert not list(tmp_path.glob("*.draft"))


def test_a_name_that_ends_as_a_file_is_one_unless_a_folder_is_there(tmp_path: Path) -> None:
    (tmp_path / "old.parquet").mkdir()
    formats = {
        name: open_output(tmp_path / name, None).format for name in ("a.csv", "b.NDJSON", "c", "d.2025")
    }
    assert formats == {"a.csv": "csv", "b.NDJSON": "jsonl", "c": "parquet", "d.2025": "parquet"}
    folder = open_output(tmp_path / "old.parquet", None)
    folder.put(0, answers(0), [])
    assert (tmp_path / "old.parquet" / "part-000000.parquet").is_file()


def read(file: Path, kind: str) -> pl.DataFrame:
    if kind == "parquet":
        return pl.read_parquet(file)
    if kind == "arrow":
        return pl.read_ipc(file)
    frame = pl.read_csv(file) if kind == "csv" else pl.read_ndjson(file)
    moment = pl.col("made_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_unit="us", time_zone="UTC")
    return frame.with_columns(moment)

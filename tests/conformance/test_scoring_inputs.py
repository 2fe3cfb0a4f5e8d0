"""Files to score, read in batches: every row once, from wherever reading went on."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.adapters.sources.asked import asked
from seatrial.adapters.sources.batches import FileBatches
from seatrial.cycle.scoring_chunks import Chunk, chunks
from seatrial.errors import SourceFailed
from seatrial.facts.scoring_run import Mark
from seatrial.product.schema import Source
from tests.object_storage import ObjectStorage, object_storage

FORMATS = ("csv", "jsonl", "parquet", "arrow")
ROWS = 105


def table(first: int, rows: int) -> pl.DataFrame:
    return pl.DataFrame({"n": pl.int_range(first, first + rows, eager=True), "name": ["x"] * rows})


def write(frame: pl.DataFrame, file: Path) -> None:
    writers = {
        ".csv": "write_csv",
        ".jsonl": "write_ndjson",
        ".parquet": "write_parquet",
        ".arrow": "write_ipc",
    }
    getattr(frame, writers[file.suffix])(file)


def files(*places: str, **options: str) -> FileBatches:
    sources = [Source(path=place, options=options) for place in places]
    return FileBatches([asked("orders", source, None, None, lambda _: None) for source in sources])


def cut(inputs: FileBatches, size: int, after: Chunk | None = None) -> list[Chunk]:
    if after is None:
        return list(chunks(inputs, size, number=0, first_row=0, start=Mark()))
    first_row = after.first_row + after.rows
    return list(chunks(inputs, size, number=after.number + 1, first_row=first_row, start=after.end))


def rows_of(found: list[Chunk]) -> pl.DataFrame:
    return pl.concat(piece.rows for chunk in found for piece in chunk.pieces if piece.rows.height)


@pytest.fixture(params=FORMATS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Three files of one format, the middle one without a row."""
    for number, (first, count) in enumerate([(0, 60), (60, 0), (60, ROWS - 60)]):
        if count or request.param != "jsonl":  # of no lines at all, nobody can tell what it would hold
            write(table(first, count), tmp_path / f"{number}.{request.param}")
    return tmp_path


@pytest.mark.parametrize("size", [1, 7, 60, 1000])
def test_chunks_hold_every_row_once_in_order_and_all_but_the_last_are_full(folder: Path, size: int) -> None:
    found = cut(files(str(folder / "*")), size)
    assert_frame_equal(rows_of(found), table(0, ROWS))
    assert [chunk.rows for chunk in found[:-1]] == [size] * (len(found) - 1)
    assert [chunk.first_row for chunk in found] == [size * number for number in range(len(found))]


@pytest.mark.parametrize("size", [7, 20, 60])
def test_whatever_chunk_it_goes_on_after_the_rest_is_the_same(folder: Path, size: int) -> None:
    inputs = files(str(folder / "*"))
    whole = cut(inputs, size)
    for at, chunk in enumerate(whole[:-1], 1):
        rest = cut(inputs, size, after=chunk)
        assert [(one.number, one.first_row) for one in rest] == [(o.number, o.first_row) for o in whole[at:]]
        assert_frame_equal(rows_of(rest), rows_of(whole[at:]))


def test_a_file_that_two_places_name_comes_once(folder: Path) -> None:
    inputs = files(str(folder / "0.*"), str(folder / "*"))
    assert rows_of(cut(inputs, 50)).height == ROWS
    places = [file.place for file in inputs.files()]
    assert len(places) == len(set(places))


def test_lines_that_are_no_rows_come_once_whatever_chunk_it_goes_on_after(tmp_path: Path) -> None:
    for number in range(3):
        lines = [f"{row},x" if row % 10 != 3 else "broken" for row in range(20 * number, 20 * number + 20)]
        (tmp_path / f"{number}.csv").write_text("\n".join(["n,name", *lines]) + "\n")
    inputs = files(str(tmp_path / "*.csv"))
    whole = cut(inputs, 9)

    def told(found: list[Chunk]) -> list[tuple[str, int]]:
        pieces = [piece for chunk in found for piece in chunk.pieces if piece.unreadable is not None]
        return [(Path(one.place).stem, line) for one in pieces for line in one.unreadable["line"]]  # type: ignore[index]  # filtered above

    assert told(whole) == [(name, line) for name in "012" for line in (5, 15)]
    assert rows_of(whole)["n"].to_list() == [row for row in range(60) if row % 10 != 3]
    for chunk, after in pairwise(whole):
        rest = cut(inputs, 9, after=chunk)
        assert told(whole[: after.number]) + told(rest) == told(whole)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_of_a_long_file_one_batch_is_held_at_a_time(tmp_path: Path, kind: str) -> None:
    write(table(0, 200_000), tmp_path / f"long.{kind}")
    pieces = files(str(tmp_path / f"long.{kind}")).pieces(Mark(), 1000)
    heights = [piece.rows.height for piece in pieces]
    assert max(heights) <= 1000
    assert sum(heights) == 200_000


def test_a_stamp_tells_that_a_file_changed(folder: Path) -> None:
    inputs = files(str(folder / "0.*"))
    [before] = inputs.files()
    [same] = inputs.files()
    write(table(0, 61), next(folder.glob("0.*")))
    [after] = inputs.files()
    assert before == same != after


def test_where_no_file_is_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="no file at"):
        files(str(tmp_path / "*.csv")).files()


def test_a_file_that_is_none_is_said_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no Parquet")
    with pytest.raises(SourceFailed, match=r"a\.parquet"):
        list(files(str(tmp_path / "a.parquet")).pieces(Mark(), 10))


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with object_storage() as running:
        yield running


def test_files_in_object_storage_are_read_one_after_the_other(storage: ObjectStorage, tmp_path: Path) -> None:
    bucket = storage.bucket()
    for number in range(2):
        table(50 * number, 50).write_parquet(tmp_path / f"{number}.parquet")
        address = f"{storage.url}/{bucket.removeprefix('s3://')}/days/{number}.parquet"
        httpx.put(address, content=(tmp_path / f"{number}.parquet").read_bytes()).raise_for_status()
    access = {
        "endpoint": storage.url,
        "region": "us-east-1",
        "access_key_id": "who",
        "secret_access_key": "hush-hush",
    }
    inputs = files(f"{bucket}/days/*.parquet", **access)
    assert_frame_equal(rows_of(cut(inputs, 30)), table(0, 100))
    assert [file.place for file in inputs.files()] == [
        f"{bucket}/days/{number}.parquet" for number in range(2)
    ]

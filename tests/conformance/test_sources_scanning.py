"""A file that is scanned is the table that it is when it is read whole."""

import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.adapters.sources import csv_text
from seatrial.adapters.sources.asked import Asked, asked
from seatrial.adapters.sources.files import FileSource
from seatrial.adapters.sources.scanning import scannable
from seatrial.data.reading import stacked
from seatrial.errors import SourceFailed
from seatrial.product.schema import CsvFormat, Source

TABLE = pl.DataFrame({"id": [1, 2, 3], "ward": ["a", None, "c"], "load": [0.5, 1.5, None]})
TEXTS = {
    "plain": b"id,ward,day\n1,a,2025-01-01\n2,,2025-01-02\n",
    "codes": b"id,ward\n007,01:30\n12,02:30\n",
    "times": b"at,n\n2025-01-01T10:00:00Z,1\n2025-01-01T11:00:00.5Z,2\n",
    "a number that grows a point": b"n,m\n" + b"1,1\n" * 9 + b"1.5,1\n",
    "a day that is none": b"day,m\n" + b"2025-01-01,1\n" * 9 + b"soon,1\n",
    "a column that begins late": b"n,m\n" + b",1\n" * 9 + b"4,1\n",
    "a column without values": b"n,m\n" + b",1\n" * 9,
    "only a header": b"n,m\n",
    "a mark of its encoding": b"\xef\xbb\xbfid,ward\n1,a\n",
    "quotes over lines": b'id,ward\n1,"a\nb"\n2,"c,d"\n',
    "a line too short": b"id,ward,n\n1,a,1\n2,b\n3,c,3\n",
    "a line too long": b"id,ward\n1,a\n2,b,c\n3,c\n",
    "a byte of another encoding": b"id,ward\n1,a\n2,\xff\n3,c\n",
}


def reading(folder: Path, path: str, **more: object) -> Asked:
    source = Source.model_validate({"path": path, **more})
    return asked("visits", source, folder, None, time.sleep)


def check_same(wanted: Asked) -> None:
    whole = list(FileSource().read(wanted))
    with scannable(wanted) as found:
        rows, unreadable = found.rows.collect(), found.unreadable
        assert list(found.places) == [delivery.origin for delivery in whole]
    assert_frame_equal(rows, stacked("visits", [delivery.frame for delivery in whole]))
    assert_frame_equal(unreadable, pl.concat(delivery.unreadable for delivery in whole))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_csv_text_has_the_same_rows_types_and_broken_lines(
    tmp_path: Path, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "_FIRST_ROWS", 5)
    (tmp_path / "visits.csv").write_bytes(text)
    check_same(reading(tmp_path, "visits.csv"))


def test_csv_of_other_habits_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_bytes("id;ward\n1;Zürich\n2;n/a\n".encode("latin-1"))
    written = CsvFormat(separator=";", encoding="latin-1", missing=("n/a",))
    check_same(reading(tmp_path, "visits.csv", csv=written))
    check_same(reading(tmp_path, "visits.csv", csv=written.model_copy(update={"encoding": "utf-8"})))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("visits.parquet", TABLE.write_parquet),
        ("visits.arrow", TABLE.write_ipc),
        ("stream.arrow", TABLE.write_ipc_stream),
        ("visits.jsonl", TABLE.write_ndjson),
    ],
)
def test_other_formats_are_the_same(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    check_same(reading(tmp_path, name))


@pytest.mark.parametrize("broken", ["{", "[1]", "\x00"])
def test_a_broken_line_of_json_is_told_and_the_others_are_rows(tmp_path: Path, broken: str) -> None:
    (tmp_path / "visits.jsonl").write_text('{"id": 1}\n' + broken + '\n{"id": 2.5}\n', encoding="utf-8")
    check_same(reading(tmp_path, "visits.jsonl"))


@pytest.mark.parametrize("second", [b"id,n\n1.5,a\n", b"n,id\nb,2\n", b"id,n\nnone,1\n", b"id,n\n"])
def test_files_are_stacked_in_the_order_of_their_names(tmp_path: Path, second: bytes) -> None:
    (tmp_path / "2025-01.csv").write_bytes(b"id,n\n1,a\n2,b\n")
    (tmp_path / "2025-02.csv").write_bytes(second)
    check_same(reading(tmp_path, "2025-*.csv"))


def test_a_file_from_elsewhere_is_the_same(tmp_path: Path) -> None:
    import fsspec  # type: ignore[import-untyped]  # it has none

    with fsspec.open("memory://scanned/visits.parquet", "wb") as opened:
        TABLE.write_parquet(opened)
    check_same(reading(tmp_path, "memory://scanned/*.parquet"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no file at"),
        ({"a.csv": b""}, "a.csv: it is empty"),
        ({"a.csv": b"id,id\n1,2\n"}, "names id more than once"),
        ({"a.parquet": b"PAR1 and no more"}, "cannot read a.parquet"),
        ({"a.xlsx": b"PK"}, "its name must end in"),
        ({"a.csv": b"id\n1\n", "b.csv": b"id,n\n1,2\n"}, "b.csv and a.csv differ in the columns n"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceFailed, match=said), scannable(reading(tmp_path, "?.*")):
        raise AssertionError("it was read")

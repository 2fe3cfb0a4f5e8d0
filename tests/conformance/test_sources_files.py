"""Files as sources: what is new of them, and broken ones, of which nothing is lost without a word."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from seatrial.adapters.sources import csv_text
from seatrial.adapters.sources.reader import Sources
from seatrial.data.ports import Delivery, Position
from seatrial.data.reading import read_whole, stacked
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source


def read(folder: Path, since: Position | None = None, **source: Any) -> list[Delivery]:
    source = {"path": "*.csv"} | source
    return list(
        Sources(sleep=lambda _: None).read("weather", Source.model_validate(source), folder, since=since)
    )


def rows(deliveries: list[Delivery]) -> list[tuple[Any, ...]]:
    return stacked("weather", [delivery.frame for delivery in deliveries]).rows()


def aside(deliveries: list[Delivery]) -> list[tuple[int, str, str]]:
    """Line, rule and raw text of what could not be read."""
    found = pl.concat(delivery.unreadable for delivery in deliveries)
    return [
        (line, rule, json.loads(row)) for line, rule, row in found.select("line", "rule", "row").iter_rows()
    ]


def test_each_file_is_a_delivery_and_new_files_are_delivered_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n")
    (tmp_path / "b.csv").write_text("n\n2\n")
    first = read(tmp_path)
    assert [(one.origin, one.whole, one.frame.rows()) for one in first] == [
        ("a.csv", True, [(1,)]),
        ("b.csv", True, [(2,)]),
    ]
    (tmp_path / "aa.csv").write_text("n\n3\n")
    second = read(tmp_path, first[-1].position)
    assert [(one.origin, one.whole, one.frame.rows()) for one in second] == [("aa.csv", False, [(3,)])]
    assert read(tmp_path, second[-1].position) == []


@pytest.mark.parametrize("change", ["rewritten", "gone"])
def test_a_file_that_was_read_and_is_another_now_brings_everything_again(tmp_path: Path, change: str) -> None:
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(f"n\n{ord(name)}\n")
    position = read(tmp_path)[-1].position
    if change == "gone":
        (tmp_path / "b.csv").unlink()
    else:
        (tmp_path / "b.csv").write_text("n\n7\n")
        os.utime(tmp_path / "b.csv", ns=(1, 1))
    again = read(tmp_path, position)
    assert all(one.whole for one in again)
    assert rows(again) == ([(97,), (99,)] if change == "gone" else [(97,), (7,), (99,)])
    assert read(tmp_path, again[-1].position) == []


RAGGED = {
    "too short": (b"a,b\n1,2\n3\n4,5\n", [(1, 2), (4, 5)], [(3, "3")]),
    "too long": (b"a,b\n1,2\n3,4,5\n", [(1, 2)], [(3, "3,4,5")]),
    "short beside missing": (b"a,b\n1,\n3\n5,6\n", [(1, None), (5, 6)], [(3, "3")]),
    "empty lines are no rows": (b"a,b\n1,2\n\n3,4\n\n", [(1, 2), (3, 4)], []),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", [(1, 2)], []),
    "carriage returns": (b"a,b\r\n1,2\r\n3,\r\n4\r\n", [(1, 2), (3, None)], [(4, "4")]),
    "old carriage returns": (b"a,b\r1,2\r3,4\r", [(1, 2), (3, 4)], []),
    "no newline at the end": (b"a,b\n1,\n3", [(1, None)], [(3, "3")]),
    "quoted newlines and separators": (
        b'a,b\n1,"x\ny"\n2,"p,q"\n3\n4,"a ""b"""\n',
        [(1, "x\ny"), (2, "p,q"), (4, 'a "b"')],
        [(5, "3")],
    ),
    "a quoted row that is too long": (b'a,b\n1,"x\ny",3\n5,6\n', [(5, 6)], [(2, '1,"x\ny",3')]),
    "a quote that is never closed": (b'a,b\n1,"x\n2,y\n3,z\n', [(2, "y"), (3, "z")], [(2, '1,"x')]),
    "a quote inside a field": (b'a,b\n1,5" pipe\n2,y\n', [(1, '5" pipe'), (2, "y")], []),
}


@pytest.mark.parametrize("case", RAGGED)
def test_lines_of_csv_that_are_no_rows_are_kept_aside_and_the_others_are_read(
    tmp_path: Path, case: str
) -> None:
    content, expected, broken = RAGGED[case]
    (tmp_path / "t.csv").write_bytes(content)
    found = read(tmp_path)
    assert rows(found) == expected
    assert aside(found) == [(line, "file.ragged", raw) for line, raw in broken]


def test_ragged_lines_are_found_across_the_chunks_in_which_lines_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seatrial.adapters.sources.csv_lines._CHUNK_BYTES", 7)
    lines = [f'{n},"x\n{n}",' for n in range(50)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *lines]) + "\n")
    assert aside(read(tmp_path)) == []
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *lines, "7,8", *lines]) + "\n")
    assert aside(read(tmp_path)) == [(102, "file.ragged", "7,8")]


def test_lines_of_another_encoding_are_kept_aside_with_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("n,city\n1,Zürich\n".encode() + "2,München\n".encode("latin-1"))
    found = read(tmp_path)
    assert rows(found) == [(1, "Zürich")]
    assert aside(found) == [(3, "file.encoding", r"2,M\xfcnchen")]
    assert "byte 0xfc at byte 4 of the line (in t.csv)" in found[0].unreadable["received"].item()


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_another_encoding_and_separator_are_read_when_they_are_declared(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "t.csv").write_bytes("n;city\n1;Zürich\n-;Bern\n".encode(encoding))
    written = {"separator": ";", "encoding": encoding, "missing": ["-"]}
    assert rows(read(tmp_path, csv=written)) == [(1, "Zürich"), (None, "Bern")]


def test_broken_json_lines_are_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(b'{"n": 1}\n{"n": \n[2]\n\n{"n": "\xfc"}\n{"n": 3}\n{"n"')
    found = read(tmp_path, path="t.jsonl")
    assert rows(found) == [(1,), (3,)]
    rules = [(2, "file.json"), (3, "file.json"), (5, "file.encoding"), (7, "file.json")]
    assert [(line, rule) for line, rule, _ in aside(found)] == rules


UNUSABLE = {
    "empty.csv": (b"", "empty"),
    "empty.jsonl": (b"", "empty"),
    "blank.csv": (b"\n\n", "no header line"),
    "twice.csv": (b"a,a\n1,2\n", "names a more than once"),
    "header.csv": (b"a,b\xfc\n1,2\n", "header is not in utf-8"),
    "trailing.csv": (b"a,b\n1,2,\n3,4,\n", "none of its lines is a row"),
    "nothing.jsonl": (b"x\ny\n", "none of its 2 lines is a JSON object"),
    "torn.parquet": (b"", "Parquet|parquet|specification"),
    "torn.arrow": (b"", "cannot read"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_of_which_nothing_can_be_used_is_refused_by_name(tmp_path: Path, name: str) -> None:
    content, told = UNUSABLE[name]
    if name.startswith("torn"):
        pl.DataFrame({"n": range(1000)}).write_parquet(
            tmp_path / name
        ) if "parquet" in name else pl.DataFrame({"n": range(1000)}).write_ipc(tmp_path / name)
        content = (tmp_path / name).read_bytes()[:-20]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceFailed, match=rf"source weather: cannot read {name}: .*({told})|{told}.*{name}"):
        read(tmp_path, path=name)


@pytest.mark.parametrize(
    "content", ["n,code\n1,007\n2,17\n", 'n,code\n1,17\n2,"007"\n', "code,n\n007,1\n17,2\n"]
)
def test_numbers_with_leading_zeros_are_codes(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chunk in (2**24, 3):
        monkeypatch.setattr("seatrial.adapters.sources.csv_lines._CHUNK_BYTES", chunk)
        (tmp_path / "t.csv").write_text(content)
        frame = read(tmp_path)[0].frame
        assert sorted(frame["code"]) == ["007", "17"]
        assert frame["n"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1"] * 5 + ["1.5"], pl.Float64),
        (["1"] * 5 + ["x"], pl.String),
        ([""] * 5 + ["4"], pl.Int64),
        ([""] * 5 + ["2025-01-01"], pl.Date),
        (["2025-01-01"] * 5 + ["soon"], pl.String),
        (["2025-01-01"] * 5 + ["2025-01-01T10:00:00"], pl.String),
        (["2025-01-01T10:00:00"] * 5 + ["2025-01-01 10:00:00.5"], pl.Datetime),
        (["1"] * 5 + ["007"], pl.String),
        (["10:00:00"] * 5 + ["10:00"], pl.String),
        (["true"] * 5 + ["maybe"], pl.String),
    ],
)
def test_types_hold_for_all_rows_whatever_the_first_ones_say(
    tmp_path: Path, values: list[str], kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "_FEW_ROWS", 3)
    monkeypatch.setattr(csv_text, "_FEW_TEXTS", 3)
    (tmp_path / "a.csv").write_text("n,v\n" + "".join(f"1,{value}\n" for value in values))
    [delivery] = read(tmp_path)
    assert delivery.frame["v"].dtype == kind
    assert delivery.frame["v"].null_count() == values.count("")


def test_zeros_fractions_and_times_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n,v,at\n0,0.5,09:30\n10,0.25,2024-01-01\n")
    assert rows(read(tmp_path)) == [(0, 0.5, "09:30"), (10, 0.25, "2024-01-01")]


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n,city\n")
    found = read(tmp_path)
    assert [(one.frame.columns, one.frame.height) for one in found] == [(["n", "city"], 0)]


def test_nan_and_infinity_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("v\nNaN\ninf\n-inf\n1.5\n")
    values = read(tmp_path)[0].frame["v"]
    assert values.dtype == pl.Float64
    assert [str(value) for value in values] == ["nan", "inf", "-inf", "1.5"]


@pytest.mark.parametrize(
    ("second", "kind"), [("2.5", pl.Float64), ("x", pl.String), ("", pl.Int64), ("2024-01-01", pl.String)]
)
def test_a_column_whose_type_differs_between_files_takes_the_type_that_holds_both(
    tmp_path: Path, second: str, kind: type[pl.DataType]
) -> None:
    (tmp_path / "a.csv").write_text("n,city\n1,Oslo\n")
    (tmp_path / "b.csv").write_text(f"n,city\n{second},Rome\n")
    (tmp_path / "c.csv").write_text("n,city\n")
    assert read_whole(Sources(), "weather", Source(path="*.csv"), tmp_path)["n"].dtype == kind


def test_a_renamed_column_is_refused_with_both_names_in_one_reading_and_in_two(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,temperature\n1,2\n")
    position = read(tmp_path)[-1].position
    (tmp_path / "b.csv").write_text("n,temperatur\n1,2\n")
    for since in (None, position):
        with pytest.raises(SourceFailed, match=r"b\.csv .* was temperature renamed to temperatur\?"):
            read(tmp_path, since)


def test_unreadable_lines_stop_who_has_nowhere_to_put_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(
        SourceFailed, match=r"(?s)source weather: 1 lines? cannot .*line 3: expected 2 fields"
    ):
        read_whole(Sources(), "weather", Source(path="t.csv"), tmp_path)


class _Server(SimpleHTTPRequestHandler):
    """Serves a folder to who knows the key; `failures` answers of trouble come first."""

    failures: list[int]
    validators = True

    def send_head(self) -> Any:
        if self.failures:
            self.send_error(self.failures.pop(0))
            return None
        if self.headers["Authorization"] != "Bearer hush-hush":
            self.send_error(401)
            return None
        return super().send_head()

    def send_header(self, keyword: str, value: str) -> None:
        if self.validators or keyword != "Last-Modified":
            super().send_header(keyword, value)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path, *failures: int, validators: bool = True) -> Iterator[str]:
    handler = type("_Here", (_Server,), {"failures": list(failures), "validators": validators})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("validators", [True, False], ids=["dated", "undated"])
def test_a_url_is_read_with_its_headers_after_trouble_that_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validators: bool
) -> None:
    monkeypatch.setenv("WEATHER_KEY", "Bearer hush-hush")
    (tmp_path / "t.csv").write_text("n\n1\n")
    with serving(tmp_path, 503, 429, validators=validators) as address:
        source: dict[str, Any] = {
            "path": f"{address}/t.csv?sign=let-me-in",
            "options": {"Authorization": "env:WEATHER_KEY"},
        }
        first = read(tmp_path, **source)
        assert rows(first) == [(1,)]
        assert first[0].origin == f"{address}/t.csv"
        assert "let-me-in" not in json.dumps(first[0].position)
        assert read(tmp_path, first[-1].position, **source) == []
        (tmp_path / "t.csv").write_text("n\n1\n2\n")
        assert rows(read(tmp_path, first[-1].position, **source)) == [(1,), (2,)]


@pytest.mark.parametrize("failures", [(), (500, 500)], ids=["refused", "in trouble"])
def test_a_url_that_cannot_be_read_is_told_without_its_secrets(
    tmp_path: Path, failures: tuple[int, ...]
) -> None:
    (tmp_path / "t.csv").write_text("n\n1\n")
    with serving(tmp_path, *failures) as address:
        url = address.replace("//", "//reader:pass-word@") + "/t.csv?sign=let-me-in"
        with pytest.raises(SourceFailed) as failed:
            read(tmp_path, path=url, options={"Authorization": "wrong-secret"}, attempts=2)
    chain: list[str] = []
    one: BaseException | None = failed.value
    while one is not None:
        chain.append(str(one))
        one = one.__cause__
    assert "source weather" in chain[0]
    for secret in ("let-me-in", "pass-word", "wrong-secret"):
        assert secret not in "\n".join(chain)


def test_an_object_store_that_does_not_answer_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    options = {"endpoint": "http://127.0.0.1:1", "access_key_id": "who", "secret_access_key": "hush-hush"}
    source = Source(path="s3://bucket/*.csv", options=options | {"region": "x"}, attempts=3)
    with pytest.raises(SourceFailed, match="source weather: cannot list s3://bucket") as failed:
        list(Sources(sleep=waits.append).read("weather", source, tmp_path))
    assert len(waits) == 2
    assert "hush-hush" not in str(failed.value) + caplog.text

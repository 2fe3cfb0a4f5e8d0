"""Python functions and dlt resources as sources: watermarks, new tries, and nothing left behind."""

import os
from pathlib import Path
from typing import Any

import pytest

from seatrial.adapters.sources.reader import Sources
from seatrial.data.ports import Delivery, Position
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source

CODE = """
import polars as pl

CALLS = []

def flaky():
    CALLS.append(1)
    if len(CALLS) < 3:
        raise ConnectionResetError("the line was cut")
    yield pl.DataFrame({"n": [len(CALLS)]})

def flaky_later(since):
    yield pl.DataFrame({"n": [5, 4]})
    CALLS.append(1)
    if len(CALLS) < 3:
        raise TimeoutError("too slow")
    yield pl.DataFrame({"n": [1, None]})

def down_later(since):
    yield pl.DataFrame({"n": [5, 4]})
    raise TimeoutError("too slow")

def without_watermark():
    return pl.DataFrame({"n": [1]})

def without_column(since):
    return pl.DataFrame({"m": [1]})

def lists(since):
    return pl.DataFrame({"n": [[1]]})

def mixed():
    yield pl.DataFrame({"n": [1]})
    yield "no table"
"""
RESOURCES = """
import dlt
import polars as pl

@dlt.resource
def pages():
    yield [{"n": 1, "city": "Oslo"}, {"n": 2}]
    yield pl.DataFrame({"n": [3], "city": ["Rome"]})

@dlt.resource
def broken():
    yield {"n": 1}
    raise RuntimeError("the warehouse is closed")

@dlt.resource
def other():
    yield {"n": 1}

@dlt.source
def two():
    return pages, other

STARTS = []

@dlt.resource
def asked(n=dlt.sources.incremental("n")):
    STARTS.append(n.start_value)
    yield [{"n": 7, "starts": repr(STARTS)}, {"n": 8, "starts": repr(STARTS)}]

def words():
    return "no resource"
"""


def read(folder: Path, since: Position | None = None, **source: Any) -> list[Delivery]:
    (folder / "code.py").write_text(CODE)
    (folder / "resources.py").write_text(RESOURCES)
    asked = Source.model_validate(source)
    return list(Sources(sleep=lambda _: None).read("weather", asked, folder, since=since))


def numbers(deliveries: list[Delivery]) -> list[Any]:
    return [n for one in deliveries for n in one.frame["n"].to_list()]


def test_a_function_is_called_again_after_a_failure_that_may_pass(tmp_path: Path) -> None:
    assert numbers(read(tmp_path, python="code:flaky", attempts=3)) == [3]
    with pytest.raises(SourceFailed, match="ConnectionResetError: the line was cut"):
        read(tmp_path, python="code:flaky", attempts=2)


def test_a_function_that_fails_later_begins_again_and_loses_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, python="code:flaky_later", incremental="n")
    assert set(numbers(found)) == {5, 4, 1, None}
    # Its tables are in no order, so that only the last may move the watermark.
    assert found[-1].position["watermark"] == {"type": "integer", "value": 5}
    assert {str(one.position["watermark"]) for one in found[:-1]} == {"None"}


def test_a_function_that_fails_at_the_same_place_each_time_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="TimeoutError: too slow"):
        read(tmp_path, python="code:down_later", incremental="n", attempts=3)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("without_watermark", "since"),
        ("without_column", "no column n; there are m"),
        ("lists", "expected a column of numbers, texts or times"),
    ],
)
def test_a_function_that_cannot_be_read_by_increments_says_why(
    tmp_path: Path, function: str, told: str
) -> None:
    with pytest.raises(SourceFailed, match=f"source weather: .*{told}"):
        read(tmp_path, python=f"code:{function}", incremental="n")


def test_what_is_no_table_among_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"expected a table .* received str"):
        read(tmp_path, python="code:mixed")


def test_pages_of_records_and_of_tables_are_read_in_their_order(tmp_path: Path) -> None:
    found = read(tmp_path, dlt="resources:pages")
    assert [one.frame.rows() for one in found] == [[(1, "Oslo"), (2, None)], [(3, "Rome")]]


def test_the_cursor_of_a_resource_begins_at_the_watermark(tmp_path: Path) -> None:
    first = read(tmp_path, dlt="resources:asked", incremental="n")
    assert first[-1].frame["starts"][0] == "[None]"
    second = read(tmp_path, first[-1].position, dlt="resources:asked", incremental="n")
    assert numbers(second) == [8]
    assert second[-1].frame["starts"][0] == "[8]"


@pytest.mark.parametrize(
    ("resource", "told"),
    [("broken", "the warehouse is closed"), ("two", "expected a dlt resource"), ("words", "received str")],
)
def test_a_resource_that_fails_names_its_source(tmp_path: Path, resource: str, told: str) -> None:
    with pytest.raises(SourceFailed, match=rf"(?s)source weather: .*{told}"):
        read(tmp_path, dlt=f"resources:{resource}")


def test_dlt_writes_nothing_into_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, product = tmp_path / "home", tmp_path / "product"
    home.mkdir()
    product.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(product)
    read(product, dlt="resources:pages")
    assert list(home.rglob("*")) == []
    assert os.environ["RUNTIME__DLTHUB_TELEMETRY"] == "false"

"""Arrow streams: what is read of them, that nothing in them is believed, and the answers as a stream."""

import io
import struct
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl
import pytest

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.facts.prediction import Variant
from seatrial.serve.request import Answered, Answers
from seatrial.web.scoring.arrow import arrow_answer, arrow_rows
from seatrial.web.scoring.refusals import Refusal

_AT = datetime(2024, 5, 1, 12, 30, 0, 123456, tzinfo=UTC)
_FRAME = pl.DataFrame(
    {
        "text": ["a", None, "a text of more than twelve bytes: é"],
        "float": [1.5, None, -2.0],
        "int": [1, 2, None],
        "flag": [True, None, False],
        "at": [_AT, None, _AT],
        "day": [date(2024, 5, 1), None, date(1, 1, 1)],
        "clock": [time(12, 30), None, time(0, 0, 0, 5)],
        "none": [None, None, None],
    }
)


def _stream(frame: pl.DataFrame, **options: Any) -> bytes:
    file = io.BytesIO()
    frame.write_ipc_stream(file, **options)
    return file.getvalue()


def _refused(body: bytes, limit: int = 10_000) -> Refusal:
    with pytest.raises(Refusal) as refused:
        arrow_rows(body, limit=limit)
    return refused.value


@pytest.mark.parametrize("level", [pl.CompatLevel.newest(), pl.CompatLevel.oldest()])
def test_flat_columns_are_read_as_python_values(level: pl.CompatLevel) -> None:
    first, second, third = arrow_rows(_stream(_FRAME, compat_level=level))
    assert first == {
        "text": "a",
        "float": 1.5,
        "int": 1,
        "flag": True,
        "at": _AT,
        "day": date(2024, 5, 1),
        "clock": "12:30:00",
        "none": None,
    }
    assert set(second.values()) == {None, 2}
    assert (third["text"], third["clock"], third["day"]) == (
        _FRAME["text"][2],
        "00:00:00.000005",
        date(1, 1, 1),
    )


def test_several_batches_are_one_table() -> None:
    chunked = pl.concat([_FRAME, _FRAME.clear(), _FRAME], rechunk=False)
    assert arrow_rows(_stream(chunked)) == 2 * arrow_rows(_stream(_FRAME))


@pytest.mark.parametrize(
    "kind", [pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Float32]
)
def test_numbers_of_every_width_are_read(kind: Any) -> None:
    assert arrow_rows(_stream(pl.DataFrame({"a": pl.Series([1, 100], dtype=kind)}))) == [{"a": 1}, {"a": 100}]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_moments_of_every_unit_are_read_and_those_without_a_zone_stay_so(unit: Any) -> None:
    at = datetime(2024, 5, 1, tzinfo=UTC)
    frame = pl.DataFrame({"at": [at]}).select(
        zoned=pl.col("at").dt.convert_time_zone("Europe/Lisbon").dt.cast_time_unit(unit),
        naive=pl.col("at").dt.replace_time_zone(None).dt.cast_time_unit(unit),
    )
    assert arrow_rows(_stream(frame)) == [{"zoned": at, "naive": at.replace(tzinfo=None)}]


def test_moments_beyond_the_calendar_stay_numbers_for_the_contract_to_refuse() -> None:
    far = pl.Series([2**62]).cast(pl.Datetime("us", "UTC"))
    assert arrow_rows(_stream(pl.DataFrame({"at": far}))) == [{"at": 2**62}]


def test_columns_of_arrays_are_json() -> None:
    table = TableContract(name="t", columns=(ColumnContract(name="tags", type="array"),))
    frame = pl.DataFrame({"tags": ["[1, 2]", "no json", None]})
    assert arrow_rows(_stream(frame), table) == [{"tags": [1, 2]}, {"tags": "no json"}, {"tags": None}]


def test_no_rows_are_no_rows() -> None:
    assert arrow_rows(_stream(_FRAME.clear())) == []


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pl.DataFrame({"a": [[1]]}), "a: numbers, truth values, text or times, got list"),
        (pl.DataFrame({"a": [{"b": 1}]}), "got struct"),
        (pl.DataFrame({"a": [b"x"]}), "got binary"),
        (pl.DataFrame({"a": pl.Series(["x"], dtype=pl.Categorical)}), "dictionary"),
        (pl.DataFrame({"a": pl.Series([1], dtype=pl.Duration)}), "got duration"),
        (pl.DataFrame({"a": pl.Series([1], dtype=pl.Decimal(10, 2))}), "got decimal"),
    ],
)
def test_columns_that_are_not_flat_and_plain_are_refused(frame: pl.DataFrame, words: str) -> None:
    refusal = _refused(_stream(frame))
    assert refusal.status == 400
    assert words in str(refusal)


def test_a_stream_must_be_one_and_whole() -> None:
    whole = _stream(_FRAME)
    for cut in range(0, len(whole), 7):
        assert _refused(whole[:cut]).status == 400
    assert "follow its end" in str(_refused(whole + whole))
    assert "follow its end" in str(_refused(whole + b"\0"))
    file = io.BytesIO()
    _FRAME.write_ipc(file)
    assert "an Arrow file" in str(_refused(file.getvalue()))
    assert _refused(b'{"rows": []}').status == 400


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_buffers_are_refused_before_they_are_unpacked(codec: Any) -> None:
    bomb = _stream(pl.DataFrame({"a": pl.repeat(0, 1_000_000, eager=True)}), compression=codec)
    refusal = _refused(bomb, limit=2_000_000)
    assert refusal.status == 400
    assert "without compression" in str(refusal)


def test_more_rows_than_allowed_are_refused_also_when_they_take_no_bytes() -> None:
    assert _refused(_stream(_FRAME), limit=2).status == 413
    nothing = _stream(pl.DataFrame({"a": pl.Series([None] * 3, dtype=pl.Null)}))
    claimed = nothing.replace(struct.pack("<q", 3), struct.pack("<q", 2**60))
    assert claimed != nothing
    assert _refused(claimed).status == 413


def test_two_columns_of_one_name_are_refused() -> None:
    twice = _stream(pl.DataFrame({"aaaaaaaa": [1], "bbbbbbbb": [2]})).replace(b"bbbbbbbb", b"aaaaaaaa")
    assert "more than once" in str(_refused(twice))


def test_text_that_is_no_utf8_is_refused() -> None:
    for level in (pl.CompatLevel.newest(), pl.CompatLevel.oldest()):
        for text in ("short", "a text of more than twelve bytes"):
            body = _stream(pl.DataFrame({"name": [text]}), compat_level=level)
            broken = body.replace(text.encode(), b"\xff" * len(text))
            assert "UTF-8" in str(_refused(broken))


def test_views_that_share_a_text_may_not_grow_beyond_a_body() -> None:
    body = _stream(pl.DataFrame({"a": ["x" * 100_000, *[""] * 999]}))
    view = struct.pack("<i4sii", 100_000, b"xxxx", 0, 0)
    start = body.index(view)
    body = body[:start] + 1000 * view + body[start + 1000 * len(view) :]
    assert len(body) < 1_000_000
    assert _refused(body).status == 413


def test_answers_are_a_stream_that_others_read() -> None:
    answers = Answers(
        release="r0001",
        predictions=[
            Answered(0, "p0", "b0", 0.5, True, "r0001", Variant.LIVE, None),
            Answered(2, "p2", "b2", None, False, "r0002", Variant.CANARY, "model_failed"),
        ],
    )
    body = arrow_answer(answers)
    assert arrow_rows(body) == pl.read_ipc_stream(io.BytesIO(body)).to_dicts()
    assert arrow_rows(body)[1] == {
        "row": 2,
        "prediction_id": "p2",
        "key": "b2",
        "score": None,
        "decision": False,
        "release": "r0002",
        "variant": "canary",
        "fallback": "model_failed",
    }
    assert arrow_rows(arrow_answer(Answers(release="r", predictions=[]))) == []

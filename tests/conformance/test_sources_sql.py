"""SQL sources: SQLite and PostgreSQL, as Arrow and row by row, give the same table; increments lose nothing."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from seatrial.adapters.sources.asked import asked
from seatrial.adapters.sources.reader import Sources
from seatrial.adapters.sources.sql import SqlSource
from seatrial.data.ports import Delivery, Position
from seatrial.data.reading import stacked
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source

EVERY_TYPE = """
    CREATE TABLE t (i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, exact numeric(10, 2), "Words" text,
        short varchar(5), flag bool, naive timestamp, zoned timestamptz, day date, moment time, absent int4);
    INSERT INTO t VALUES
        (1, 2, 3, 1.5, 2.5, 12.34, 'x', 'y', true, '2024-03-31 02:30', '2024-01-01 10:00+02', '2024-01-01',
         '10:00', null),
        (null, null, null, null, null, null, null, null, null, null, null, null, null, null);
"""
SQLITE_TYPES = """
    CREATE TABLE t (n integer, x real, s text, at timestamp, absent text);
    INSERT INTO t VALUES (1, 1.5, 'a', '2024-01-01 10:00:00', null), (2, null, null, null, null), (3, 2, 'ü', '', null);
"""


def read(source: Source, since: Position | None = None, *, with_arrow: bool = True) -> list[Delivery]:
    reading = asked("visits", source, None, since, lambda _: None)
    return list(SqlSource(with_arrow=with_arrow).read(reading))


def rows(deliveries: list[Delivery]) -> pl.DataFrame:
    return stacked("visits", [delivery.frame for delivery in deliveries])


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        (tmp_path / "visits.db").touch()
        return f"sqlite:///{tmp_path / 'visits.db'}"
    return str(request.getfixturevalue("postgres_url"))


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture(params=[True, False], ids=["arrow", "rows"])
def with_arrow(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_every_type_of_postgresql_comes_out_in_the_types_of_contracts(
    postgres_url: str, with_arrow: bool
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(EVERY_TYPE.encode())
    table = rows(read(Source(sql="SELECT * FROM t", url=postgres_url), with_arrow=with_arrow))
    zoned = datetime(2024, 1, 1, 8, tzinfo=UTC)
    first = (1, 2, 3, 1.5, 2.5, 12.34, "x", "y", True, datetime(2024, 3, 31, 2, 30), zoned)  # noqa: DTZ001
    assert table.rows() == [(*first, date(2024, 1, 1), time(10), None), (None,) * 14]
    numbers, texts, times = [pl.Int64] * 3 + [pl.Float64] * 3, [pl.String] * 2, [pl.Datetime("us")]
    others = [pl.Datetime("us", "UTC"), pl.Date, pl.Time, pl.Int64]
    assert table.dtypes == [*numbers, *texts, pl.Boolean, *times, *others]


def test_both_ways_give_the_same_table_from_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "visits.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SQLITE_TYPES)
    source = Source(sql="SELECT * FROM t ORDER BY n", url=f"sqlite:///{path}")
    arrow, plain = (rows(read(source, with_arrow=way)) for way in (True, False))
    assert plain["s"].to_list() == ["a", None, "ü"]
    assert_frame_equal(arrow.drop("absent"), plain.drop("absent"))


@pytest.mark.parametrize("column", ["uuid", "jsonb", "interval", "int4[]", "bytea"])
def test_a_type_without_arrow_is_read_row_by_row(postgres_url: str, column: str) -> None:
    text = {"uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "jsonb": '{"a": 1}', "interval": "1 day"}.get(
        column
    )
    literal = {"int4[]": "'{1,2}'", "bytea": "'abc'"}.get(column) or f"'{text}'"
    source = Source(sql=f"SELECT 1 AS n, {literal}::{column} AS one", url=postgres_url)
    both = [rows(read(source, with_arrow=way)) for way in (True, False)]
    assert_frame_equal(*both)
    assert text is None or column == "interval" or both[0]["one"].to_list() == [text]


def test_percent_signs_colons_and_comments_of_a_query_stay_as_they_are(url: str, with_arrow: bool) -> None:
    execute(url, "CREATE TABLE t (n integer, s text)", "INSERT INTO t VALUES (1, '10%'), (2, 'a b')")
    sql = "SELECT n, s FROM t WHERE s LIKE '1%' OR s = ' :x' -- that's all;"
    for incremental in (None, "n"):
        source = Source(sql=sql, url=url, incremental=incremental)
        assert rows(read(source, with_arrow=with_arrow)).rows() == [(1, "10%")]


def test_a_query_without_rows_gives_a_table_without_rows_once(url: str, with_arrow: bool) -> None:
    execute(url, "CREATE TABLE t (n integer, s text)")
    for incremental in (None, "n"):
        source = Source(sql="SELECT n, s FROM t", url=url, incremental=incremental)
        first = read(source, with_arrow=with_arrow)
        assert [(one.frame.columns, one.frame.height) for one in first] == [(["n", "s"], 0)]
        assert read(source, first[-1].position, with_arrow=with_arrow) == []


def inserted(*pairs: tuple[int, str]) -> str:
    rows = ", ".join(f"({number}, {literal})" for number, literal in pairs)
    return f"INSERT INTO t VALUES {rows}"  # noqa: S608 - the test's own


VALUES = {
    "integer": ["1", "2", "3"],
    "text": ["'a'", "'it''s'", "'ö'"],
    "timestamp": ["'2024-01-01 10:00:00'", "'2024-01-01 10:00:00.5'", "'2024-03-31 02:30:00'"],
    "date": ["'2024-01-01'", "'2024-01-02'", "'2024-01-10'"],
    "double precision": ["0.1", "0.30000000000000004", "1e300"],
}


@pytest.mark.parametrize("kind", VALUES)
def test_increments_begin_at_the_watermark_and_lose_nothing_that_comes_later_with_its_value(
    url: str, with_arrow: bool, kind: str
) -> None:
    low, middle, high = VALUES[kind]
    execute(url, f"CREATE TABLE t (n integer, at {kind})", inserted((1, low), (2, middle)))
    source = Source(sql="SELECT * FROM t", url=url, incremental="at")
    first = read(source, with_arrow=with_arrow)
    assert rows(first)["n"].to_list() == [1, 2]
    assert not any(one.whole for one in first)
    assert read(source, first[-1].position, with_arrow=with_arrow) == []
    execute(url, inserted((3, middle), (4, high), (5, low)))
    second = read(source, first[-1].position, with_arrow=with_arrow)
    assert sorted(rows(second)["n"].to_list()) == [2, 3, 4]
    assert read(source, second[-1].position, with_arrow=with_arrow) == []


def test_rows_without_a_watermark_come_whenever_they_come(url: str, with_arrow: bool) -> None:
    execute(url, "CREATE TABLE t (n integer, at integer)", "INSERT INTO t VALUES (1, 7), (2, NULL)")
    source = Source(sql="SELECT * FROM t", url=url, incremental="at")
    first = read(source, with_arrow=with_arrow)
    assert sorted(rows(first)["n"].to_list()) == [1, 2]
    execute(url, "INSERT INTO t VALUES (3, NULL)")
    second = read(source, first[-1].position, with_arrow=with_arrow)
    assert 3 in rows(second)["n"].to_list()
    assert read(source, second[-1].position, with_arrow=with_arrow) == []


def test_a_whole_query_is_delivered_again_only_when_its_rows_are_others(url: str) -> None:
    execute(url, "CREATE TABLE t (n integer)", "INSERT INTO t VALUES (1), (2)")
    source = Source(sql="SELECT n FROM t", url=url)
    first = read(source)
    assert all(one.whole for one in first)
    assert read(source, first[-1].position) == []
    execute(url, "UPDATE t SET n = 3 WHERE n = 1")
    assert sorted(rows(read(source, first[-1].position))["n"].to_list()) == [2, 3]


def test_a_sqlite_column_that_changes_its_kind_after_many_rows_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "visits.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (n integer, v)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", ((n, n) for n in range(60_000)))
        connection.execute("INSERT INTO t VALUES (60000, 'late')")
    for incremental in (None, "n"):
        found = read(Source(sql="SELECT * FROM t", url=f"sqlite:///{path}", incremental=incremental))
        seen = [n for one in found for n in one.frame["n"].to_list()]
        assert set(seen) == set(range(60_001))
        assert found[-1].frame["v"].to_list()[-1] == "late"


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("WAREHOUSE", "postgresql://reader:p%40ss-word@127.0.0.1:1/visits")
    (tmp_path / "url").write_text("postgresql://reader:p%40ss-word@127.0.0.1:1/visits\n")
    return tmp_path


@pytest.mark.parametrize(
    "given", ["env:WAREHOUSE", "file:url", "postgresql://reader:p%40ss-word@127.0.0.1:1/visits"]
)
def test_a_database_that_is_down_is_tried_again_and_told_without_its_password(
    broken: Path, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    source = Source(sql="SELECT 1", url=given, attempts=3)
    with pytest.raises(
        SourceFailed, match=r"source visits: cannot read postgresql 127\.0\.0\.1/visits"
    ) as failed:
        list(Sources(sleep=waits.append).read("visits", source, broken))
    assert len(waits) == 2
    assert waits[1] > waits[0] / 2
    chain: BaseException | None = failed.value
    while chain is not None:
        caplog.messages.append(str(chain))
        chain = chain.__cause__
    told = "\n".join(caplog.messages) + caplog.text
    assert "attempt 2 of 3" in told
    assert "p@ss-word" not in told
    assert "p%40ss-word" not in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sql": "SELECT * FROM nowhere"}, "nowhere"),
        ({"sql": "SELEC"}, "syntax"),
        ({"incremental": "missing"}, "missing"),
        (
            {"url": "env:SEATRIAL_NO_SUCH_VARIABLE"},
            "environment variable SEATRIAL_NO_SUCH_VARIABLE is not set",
        ),
        ({"url": "file:nothing"}, "credential file nothing cannot be read"),
        ({"url": "no url"}, "is no SQLAlchemy URL"),
        ({"url": "sqlite:////nowhere/at/all.db"}, "no SQLite file at /nowhere/at/all.db"),
    ],
)
def test_what_will_not_pass_fails_at_once_and_names_the_source(
    url: str, tmp_path: Path, change: dict[str, str], told: str
) -> None:
    waits: list[float] = []
    execute(url, "CREATE TABLE t (n integer)")
    source = Source.model_validate({"sql": "SELECT * FROM t", "url": url} | change)
    with pytest.raises(SourceFailed, match=rf"(?s)source visits: .*{told}"):
        list(Sources(sleep=waits.append).read("visits", source, tmp_path))
    assert waits == []


def test_a_relative_sqlite_file_lies_beside_the_product_file(tmp_path: Path) -> None:
    (tmp_path / "data.db").touch()
    execute(f"sqlite:///{tmp_path / 'data.db'}", "CREATE TABLE t (n integer)", "INSERT INTO t VALUES (7)")
    found = list(Sources().read("visits", Source(sql="SELECT n FROM t", url="sqlite:///data.db"), tmp_path))
    assert rows(found)["n"].to_list() == [7]


def test_exact_whole_numbers_come_out_as_they_are(postgres_url: str, with_arrow: bool) -> None:
    keys = [2**53 + 1, 2**63 - 1, -(2**63), None]
    values = ", ".join(f"({'null' if key is None else key})" for key in keys)
    sql = (
        f"SELECT v::numeric(20, 0) AS v, v::numeric AS free, v / 4.0 AS part FROM (VALUES {values}) AS t (v)"  # noqa: S608
    )
    small = f"SELECT * FROM ({sql}) AS s WHERE v IS NULL OR free = 0"  # noqa: S608 - the test's own
    table = rows(read(Source(sql=f"SELECT v FROM ({sql}) AS s", url=postgres_url), with_arrow=with_arrow))  # noqa: S608
    assert table.schema == {"v": pl.Int64}
    assert table["v"].to_list() == keys
    table = rows(read(Source(sql=small, url=postgres_url), with_arrow=with_arrow))
    assert table.dtypes == [pl.Int64, pl.Float64, pl.Float64]


@pytest.mark.parametrize("number", ["9007199254740993::numeric", "9223372036854775808::numeric(20, 0)"])
def test_whole_numbers_that_would_be_altered_are_refused_with_the_cast_that_keeps_them(
    postgres_url: str, with_arrow: bool, number: str
) -> None:
    with pytest.raises(SourceFailed, match=r"column v holds whole numbers beyond .* cast it") as failed:
        read(Source(sql=f"SELECT {number} AS v", url=postgres_url), with_arrow=with_arrow)
    assert "993" not in str(failed.value)
    kept = read(Source(sql=f"SELECT ({number})::text AS v", url=postgres_url), with_arrow=with_arrow)
    assert rows(kept)["v"].to_list() == [number.partition("::")[0]]


def test_whole_numbers_beside_fractions_are_not_altered_in_sqlite(tmp_path: Path, with_arrow: bool) -> None:
    url = f"sqlite:///{tmp_path / 'visits.db'}"
    execute(
        url,
        "CREATE TABLE t (v numeric(20, 0))",
        "INSERT INTO t VALUES (9007199254740993), (9223372036854775807)",
    )
    table = rows(read(Source(sql="SELECT v FROM t", url=url), with_arrow=with_arrow))
    assert table["v"].to_list() == [2**53 + 1, 2**63 - 1]
    execute(url, "INSERT INTO t VALUES (0.5)")
    with pytest.raises(SourceFailed, match=r"column v holds whole numbers beyond 2\^53 beside fractions"):
        read(Source(sql="SELECT v FROM t", url=url), with_arrow=with_arrow)
    few = read(Source(sql="SELECT v FROM t WHERE v < 1 UNION ALL SELECT 2", url=url), with_arrow=with_arrow)
    assert sorted(rows(few)["v"].to_list()) == [0.5, 2.0]

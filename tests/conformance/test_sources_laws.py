"""What holds for every reader of sources, whatever a table lies in: all rows once, then nothing, then what is new."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # it has none
import fsspec  # type: ignore[import-untyped]  # it has none
import polars as pl
import psycopg
import pytest
from deltalake import write_deltalake
from moto.server import ThreadedMotoServer

from seatrial.adapters.sources.reader import Sources
from seatrial.data.ports import Delivery, Position, SourceReader
from seatrial.data.reading import stacked
from seatrial.errors import SourceFailed
from seatrial.product.schema import Source
from tests.fakes.sources import MemorySources

SECRET = "hush-hush-hush"  # noqa: S105 - no password of anything
FUNCTIONS = """
import json
from pathlib import Path
import polars as pl

def rows():
    return json.loads(Path(__file__).with_name("rows.json").read_text())

def whole():
    return pl.DataFrame(rows(), schema={"n": pl.Int64, "city": pl.String})

def tables():
    for row in rows():
        yield pl.DataFrame([row])

def since(since):
    for row in rows():
        if since is None or row["n"] >= since:
            yield pl.DataFrame([row])
"""
RESOURCES = """
import dlt
from functions import rows

@dlt.resource
def whole():
    yield rows()

@dlt.resource
def since(n=dlt.sources.incremental("n")):
    for row in rows():
        yield row

@dlt.source
def one():
    return whole
"""


@dataclass
class World:
    """A source that can be added to. `add` takes the rows to add, `change` all rows as they are after a change."""

    source: dict[str, Any]
    folder: Path
    add: Callable[[pl.DataFrame], None]
    nowhere: dict[str, Any]
    reader: Callable[[], SourceReader] = lambda: Sources(sleep=lambda _: None)
    rows: list[tuple[int, str]] = field(default_factory=list)

    def grow(self, *rows: tuple[int, str]) -> None:
        self.rows += rows
        self.add(pl.DataFrame(rows, schema={"n": pl.Int64, "city": pl.String}, orient="row"))

    def read(self, since: Position | None = None) -> list[Delivery]:
        # A position is stored as JSON in between.
        stored = None if since is None else json.loads(json.dumps(since))
        source = Source.model_validate(self.source)
        return list(self.reader().read("weather", source, self.folder, since=stored))


def seen(deliveries: list[Delivery]) -> list[tuple[int, str]]:
    if not deliveries:
        return []
    table = stacked("weather", [delivery.frame for delivery in deliveries])
    return sorted(table.select("n", "city").rows())


def _next_file(folder: Path, ending: str) -> Path:
    return folder / f"part{len(list(folder.glob('part*'))):03}.{ending}"


def _files(ending: str, writing: str, folder: Path, _: pytest.FixtureRequest) -> World:
    def add(frame: pl.DataFrame) -> None:
        getattr(frame, writing)(_next_file(folder, ending))

    return World({"path": f"part*.{ending}"}, folder, add, {"path": f"none*.{ending}"})


def _memory(folder: Path, _: pytest.FixtureRequest) -> World:
    store, root = fsspec.filesystem("memory"), f"/{folder.name}"

    def add(frame: pl.DataFrame) -> None:
        number = len(store.ls(root)) if store.exists(root) else 0
        store.pipe(f"{root}/part{number:03}.csv", frame.write_csv().encode())

    return World({"path": f"memory:/{root}/*.csv"}, folder, add, {"path": "memory://nowhere/*.csv"})


def _bucket(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    endpoint = request.getfixturevalue("s3_endpoint")
    options = {
        "endpoint": endpoint,
        "access_key_id": "anybody",
        "secret_access_key": SECRET,
        "region": "us-east-1",
    }
    bucket = f"bucket{abs(hash(request.node.name)) % 10**9}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="anybody",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket=bucket)
    return bucket, options


def _s3(ending: str, writing: str, folder: Path, request: pytest.FixtureRequest) -> World:
    from obstore.store import S3Store

    bucket, options = _bucket(request)
    store = S3Store(bucket, config=options, client_options={"allow_http": True})  # type: ignore[arg-type]

    def add(frame: pl.DataFrame) -> None:
        local = _next_file(folder, ending)
        getattr(frame, writing)(local)
        store.put(f"in/{local.name}", local)

    source = {"path": f"s3://{bucket}/in/*.{ending}", "options": options}
    return World(source, folder, add, source | {"path": f"s3://{bucket}/out/*.{ending}"})


def _delta(folder: Path, _: pytest.FixtureRequest) -> World:
    def add(frame: pl.DataFrame) -> None:
        write_deltalake(folder / "table", frame, mode="append")

    return World({"delta": "table"}, folder, add, {"delta": "nothing"})


def _delta_split(folder: Path, _: pytest.FixtureRequest) -> World:
    def add(frame: pl.DataFrame) -> None:
        write_deltalake(folder / "table", frame, mode="append", partition_by=["city"])

    return World({"delta": "table"}, folder, add, {"delta": "nothing"})


def _delta_s3(folder: Path, request: pytest.FixtureRequest) -> World:
    bucket, options = _bucket(request)
    options = {f"aws_{key}": value for key, value in options.items()} | {"aws_allow_http": "true"}
    url = f"s3://{bucket}/table"

    def add(frame: pl.DataFrame) -> None:
        write_deltalake(url, frame, mode="append", storage_options=options)

    return World({"delta": url, "options": options}, folder, add, {"delta": f"{url}2", "options": options})


def _sqlite(incremental: str | None, folder: Path, _: pytest.FixtureRequest) -> World:
    with closing(sqlite3.connect(folder / "weather.db")) as connection:
        connection.execute("CREATE TABLE weather (n integer, city text)")

    def add(frame: pl.DataFrame) -> None:
        with closing(sqlite3.connect(folder / "weather.db")) as connection, connection:
            connection.executemany("INSERT INTO weather VALUES (?, ?)", frame.rows())

    source = {"sql": "SELECT * FROM weather", "url": "sqlite:///weather.db", "incremental": incremental}
    return World(source, folder, add, source | {"url": "sqlite:///nowhere.db"})


def _postgres(incremental: str | None, folder: Path, request: pytest.FixtureRequest) -> World:
    url = request.getfixturevalue("postgres_url")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE weather (n integer, city text)")

    def add(frame: pl.DataFrame) -> None:
        with psycopg.connect(url) as connection:
            connection.cursor().executemany("INSERT INTO weather VALUES (%s, %s)", frame.rows())

    source = {"sql": "SELECT * FROM weather", "url": url, "incremental": incremental}
    return World(source, folder, add, source | {"sql": "SELECT * FROM nowhere"})


def _code(source: dict[str, Any], folder: Path, _: pytest.FixtureRequest) -> World:
    (folder / "functions.py").write_text(FUNCTIONS)
    (folder / "resources.py").write_text(RESOURCES)
    kept = folder / "rows.json"
    kept.write_text("[]")

    def add(frame: pl.DataFrame) -> None:
        kept.write_text(json.dumps(json.loads(kept.read_text()) + frame.to_dicts()))

    kind = next(iter(source))
    return World(source, folder, add, source | {kind: "nowhere:table"})


def _fake(incremental: str | None, folder: Path, _: pytest.FixtureRequest) -> World:
    fake = MemorySources({})

    def add(frame: pl.DataFrame) -> None:
        fake.frames["weather"] = pl.concat([fake.frames.get("weather", frame.clear()), frame])

    world = World({"path": "t.csv", "incremental": incremental}, folder, add, {}, reader=lambda: fake)
    world.nowhere = {"path": "nowhere.csv"}
    return world


WORLDS: dict[str, Callable[[Path, pytest.FixtureRequest], World]] = {
    "csv": partial(_files, "csv", "write_csv"),
    "jsonl": partial(_files, "jsonl", "write_ndjson"),
    "parquet": partial(_files, "parquet", "write_parquet"),
    "arrow": partial(_files, "arrow", "write_ipc"),
    "arrow stream": partial(_files, "arrow", "write_ipc_stream"),
    "memory": _memory,
    "s3 csv": partial(_s3, "csv", "write_csv"),
    "s3 parquet": partial(_s3, "parquet", "write_parquet"),
    "sqlite": partial(_sqlite, None),
    "sqlite incremental": partial(_sqlite, "n"),
    "postgresql": partial(_postgres, None),
    "postgresql incremental": partial(_postgres, "n"),
    "delta": _delta,
    "delta, partitioned": _delta_split,
    "delta on s3": _delta_s3,
    "python": partial(_code, {"python": "functions:whole"}),
    "python, many tables": partial(_code, {"python": "functions:tables"}),
    "python incremental": partial(_code, {"python": "functions:since", "incremental": "n"}),
    "dlt": partial(_code, {"dlt": "resources:whole"}),
    "dlt source": partial(_code, {"dlt": "resources:one"}),
    "dlt incremental": partial(_code, {"dlt": "resources:since", "incremental": "n"}),
    "fake": partial(_fake, None),
    "fake incremental": partial(_fake, "n"),
}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server that answers as S3 does, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made = WORLDS[request.param](tmp_path, request)
    made.grow((1, "Oslo"), (2, "Rome"))
    made.grow((3, "Oslo"))
    return made


def test_a_first_reading_gives_every_row_once(world: World) -> None:
    assert seen(world.read()) == world.rows


def test_after_a_reading_there_is_nothing_new(world: World) -> None:
    assert world.read(world.read()[-1].position) == []


def test_a_second_reading_gives_what_was_added_or_the_whole_again(world: World) -> None:
    first = world.read()
    world.grow((4, "Bern"), (5, "Oslo"))
    second = world.read(first[-1].position)
    assert len({delivery.whole for delivery in second}) == 1
    found = seen(second)
    assert set(found) >= {(4, "Bern"), (5, "Oslo")}
    assert found == world.rows if second[0].whole else set(found) <= set(world.rows)
    assert world.read(second[-1].position) == []


def test_a_reading_that_is_cut_short_goes_on_where_it_was_and_loses_nothing(world: World) -> None:
    all_of_it = world.read()
    for cut in range(1, len(all_of_it)):
        rest = world.read(all_of_it[cut - 1].position)
        if all_of_it[0].whole and world.source.get("incremental") is None and not rest:
            continue  # what is whole is landed as a whole, or not at all
        assert set(seen(all_of_it[:cut])) | set(seen(rest)) == set(world.rows)


def test_no_delivery_shows_a_secret(world: World) -> None:
    for delivery in world.read():
        assert SECRET not in delivery.origin + json.dumps(delivery.position)
        assert delivery.origin


def test_a_place_that_is_not_there_names_the_source(world: World) -> None:
    if isinstance(reader := world.reader(), MemorySources):
        reader.frames.clear()
    world.source = world.nowhere
    with pytest.raises(SourceFailed, match="source weather: ") as failed:
        world.read()
    assert SECRET not in str(failed.value)

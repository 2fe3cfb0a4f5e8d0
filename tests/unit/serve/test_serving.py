"""One product's data plane: what is loaded, when it swaps, what it survives."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.adapters.lookups.store import LmdbLookups
from seatrial.contract.model import ColumnContract
from seatrial.cycle.publish import next_tables
from seatrial.errors import IntegrityBroken, NotReady, ProductFileInvalid, SourceFailed, TrainingFailed
from seatrial.facts.lookups import LookupTables, PublishedLookup
from seatrial.facts.prediction import Prediction
from seatrial.facts.release import Phase, Release
from seatrial.product.lookup_files import to_bytes
from seatrial.serve.loading import load_release
from seatrial.serve.lookups import LookupIndexes
from seatrial.serve.ports import LookupStore, RouteTable
from seatrial.serve.request import Request
from seatrial.serve.serving import Serving
from tests.fakes.artifacts import MemoryArtifacts
from tests.fakes.clock import MemoryClock
from tests.fakes.journal import MemoryJournal
from tests.hotel import (
    START,
    FunctionScorer,
    NamedRuntime,
    PriceScorer,
    SettableSource,
    hotel_product,
    journaled,
    raising,
    row,
    stored_release,
    weather_table,
)


class Stage:
    """A serving with all its fakes."""

    def __init__(
        self,
        *,
        live: str | None = "price",
        artifacts: MemoryArtifacts | None = None,
        lookups: LookupStore | None = None,
    ) -> None:
        self.artifacts = artifacts or MemoryArtifacts()
        self.runtime = NamedRuntime(broken=FunctionScorer(raising))
        self.journal = MemoryJournal()
        self.source = SettableSource(None if live is None else stored_release(self.artifacts, scorer=live))
        self.writer = self.journal.writer()
        self.ticks = 0
        self.serving = Serving(
            "hotel",
            self.source,
            self.artifacts,
            self.runtime,
            self.writer,
            MemoryClock(START),
            lookups=lookups,
            tick=self.tick,
        )

    def tick(self) -> None:
        self.ticks += 1

    def predictions(self) -> list[Prediction]:
        """All that is journaled."""
        self.writer.seal()
        return journaled(self.journal)

    def stored(self, id: str, **options: Any) -> Release:
        return stored_release(self.artifacts, id, **options)

    def put(self, live: Release, challenger: Release | None = None) -> bool:
        self.source.table = RouteTable(live=live, challenger=challenger)
        return self.serving.refresh()

    def play(self, scene: Callable[[Serving], Awaitable[None]]) -> None:
        async def run() -> None:
            await self.serving.start()
            try:
                await scene(self.serving)
            finally:
                await self.serving.stop()

        asyncio.run(run())


def canary(release: Release, share: float) -> Release:
    return msgspec.structs.replace(release, phase=Phase.CANARY, share=share)


def test_a_release_is_loaded_from_its_artifacts_and_answers() -> None:
    stage = Stage()

    async def scene(serving: Serving) -> None:
        answers = await serving.predict(Request(rows=[row(1)]))
        assert answers.predictions[0].score == pytest.approx(0.101)

    stage.play(scene)
    assert [segment.kind for segment in stage.journal.sealed()] == ["predictions"]
    assert stage.predictions()[0].features["rain"] == 3.0


def test_without_a_live_release_it_is_not_ready_until_there_is_one() -> None:
    stage = Stage(live=None)

    async def scene(serving: Serving) -> None:
        ready = [serving.ready]
        with pytest.raises(NotReady):
            await serving.predict(Request(rows=[row()]))
        with pytest.raises(NotReady):
            await serving.accept_outcomes([{"key": "b", "is_canceled": True}])
        stage.put(stage.stored("r0001"))
        assert [*ready, serving.ready] == [False, True]
        assert len((await serving.predict(Request(rows=[row()]))).predictions) == 1

    stage.play(scene)


def test_an_unchanged_table_loads_nothing_again() -> None:
    stage = Stage()
    assert stage.serving.refresh()
    assert not stage.serving.refresh()
    assert stage.runtime.loads == 1


def test_a_new_share_takes_effect_without_loading_again() -> None:
    stage = Stage()
    live, challenger = stage.stored("r0001"), stage.stored("r0002")
    stage.put(live, canary(challenger, 0.1))
    loads = stage.runtime.loads
    assert stage.put(live, canary(challenger, 0.5))
    assert stage.runtime.loads == loads
    assert stage.serving.engine.routes is not None
    assert stage.serving.engine.routes.share == 0.5


def test_a_promoted_canary_is_not_loaded_again_and_shares_its_lookups() -> None:
    stage = Stage()
    live, challenger = stage.stored("r0001"), stage.stored("r0002")
    stage.put(live, canary(challenger, 0.5))
    routes = stage.serving.engine.routes
    assert routes is not None
    assert routes.challenger is not None
    assert routes.live.lookups["weather"] is routes.challenger.lookups["weather"]
    loads = stage.runtime.loads
    stage.put(msgspec.structs.replace(challenger, phase=Phase.LIVE))
    assert stage.runtime.loads == loads
    assert stage.serving.live.id == "r0002"


def publish(stage: Stage, published: LookupTables | None, *rows: tuple[str, float, float]) -> LookupTables:
    """The weather of these rows, published and told to the server."""
    product = hotel_product()
    table = weather_table(product, rows)
    tables = next_tables(published, product, {"weather": table}, stage.artifacts, at=START)
    assert stage.source.table is not None
    stage.source.table = msgspec.structs.replace(stage.source.table, lookups=tables.lookups)
    assert stage.serving.refresh()
    return tables


def rain(stage: Stage) -> list[Any]:
    before = len(stage.predictions())
    stage.serving.engine.predict([row(1), row(2, city="Oslo")])
    return [prediction.features["rain"] for prediction in stage.predictions()[before:]]


@pytest.mark.parametrize("kind", ["memory", "lmdb"])
def test_newer_lookups_are_read_without_loading_the_model_again(kind: str, tmp_path: Path) -> None:
    artifacts = MemoryArtifacts()
    store = LmdbLookups(tmp_path, artifacts) if kind == "lmdb" else LookupIndexes(artifacts)
    stage = Stage(artifacts=artifacts, lookups=store)
    stage.serving.refresh()
    found = [rain(stage)]
    past = [("Rome", -float(day), 9.0) for day in range(2, 9)]
    first = publish(stage, None, *past)
    found.append(rain(stage))
    second = publish(stage, first, *past, ("Rome", -1, 7.0), ("Oslo", -1, 5.0))
    assert second.lookups["weather"].increments
    found.append(rain(stage))
    assert found == [[3.0, None], [9.0, None], [7.0, 5.0]]
    assert stage.runtime.loads == 1
    assert not stage.serving.refresh()


def test_tables_that_no_release_reads_any_more_are_deleted(tmp_path: Path) -> None:
    artifacts = MemoryArtifacts()
    stage = Stage(artifacts=artifacts, lookups=LmdbLookups(tmp_path, artifacts))
    stage.serving.refresh()
    (old,) = tmp_path.glob("weather/*")
    publish(stage, None, ("Rome", -1, 7.0))
    (new,) = tmp_path.glob("weather/*")
    assert new != old
    assert rain(stage) == [7.0, None]


def _without_rain(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    return table.rename({"rain": "snow"}), ("city",)


def _by_street(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    return table.with_columns(street=pl.lit("Corso")), ("city", "street")


@pytest.mark.parametrize("change", [_without_rain, _by_street])
def test_a_published_table_of_another_product_file_is_left_out(
    change: Callable[[pl.DataFrame], tuple[pl.DataFrame, tuple[str, ...]]],
) -> None:
    stage = Stage()
    table, on = change(weather_table(hotel_product(), [("Rome", -1, 7.0)]))
    published = PublishedLookup(on=on, base=stage.artifacts.put(to_bytes(table)))
    assert stage.source.table is not None
    stage.source.table = msgspec.structs.replace(stage.source.table, lookups={"weather": published})
    stage.serving.refresh()
    assert rain(stage) == [3.0, None]


def test_a_challenger_that_does_not_load_leaves_the_live_release_alone() -> None:
    stage = Stage()
    live, broken = stage.stored("r0001"), stage.stored("r0002", scorer="unknown")
    assert stage.put(live, broken)
    assert stage.serving.live.id == "r0001"
    loads = stage.runtime.loads
    stage.serving.refresh()
    assert stage.runtime.loads == loads, "what will never load is not tried at every refresh"
    assert stage.serving.counters.refreshes["challenger_failed"] == 1


def test_a_source_that_fails_leaves_the_present_releases_and_is_counted() -> None:
    stage = Stage()

    async def scene(serving: Serving) -> None:
        stage.source.fails = SourceFailed("the store is away")
        with pytest.raises(SourceFailed):
            serving.refresh()
        assert serving.ready
        assert len((await serving.predict(Request(rows=[row()]))).predictions) == 1

    stage.play(scene)


def test_a_server_that_starts_while_the_source_is_away_is_alive_and_not_ready() -> None:
    stage = Stage()
    stage.source.fails = SourceFailed("the store is away")

    async def scene(serving: Serving) -> None:
        assert not serving.ready
        assert serving.counters.refreshes["failed"] == 1

    stage.play(scene)


def test_a_draining_server_is_not_ready_and_still_answers() -> None:
    stage = Stage()

    async def scene(serving: Serving) -> None:
        serving.drain()
        assert not serving.ready
        assert len((await serving.predict(Request(rows=[row()]))).predictions) == 1

    stage.play(scene)


def test_outcomes_are_taken_and_counted() -> None:
    stage = Stage()

    async def scene(serving: Serving) -> None:
        receipt = await serving.accept_outcomes([{"key": "b", "is_canceled": True}, {"key": "c"}])
        assert receipt.accepted == 1
        assert serving.counters.outcomes == {"accepted": 1, "refused": 1}

    stage.play(scene)
    assert [segment.kind for segment in stage.journal.sealed()] == ["outcomes"]


def test_a_model_that_cannot_score_empty_rows_still_serves_by_its_fallback() -> None:
    stage = Stage(live="broken")

    async def scene(serving: Serving) -> None:
        answers = await serving.predict(Request(rows=[row()]))
        assert answers.predictions[0].fallback == "model raised ValueError"

    stage.play(scene)


def test_altered_parts_are_refused() -> None:
    artifacts = MemoryArtifacts()
    release = stored_release(artifacts)
    artifacts.bodies[release.bundle.lookups["weather"]] += b"!"
    with pytest.raises(IntegrityBroken):
        load_release(release, artifacts, NamedRuntime())


def test_a_missing_lookup_table_is_named() -> None:
    artifacts = MemoryArtifacts()
    release = stored_release(artifacts)
    bundle = msgspec.structs.replace(release.bundle, lookups={})
    with pytest.raises(IntegrityBroken, match="weather"):
        load_release(msgspec.structs.replace(release, bundle=bundle), artifacts, NamedRuntime())


def test_a_package_that_is_no_model_is_refused() -> None:
    artifacts = MemoryArtifacts()
    with pytest.raises(TrainingFailed):
        load_release(stored_release(artifacts, scorer="unknown"), artifacts, NamedRuntime())


def test_a_product_without_an_objective_is_refused() -> None:
    text = hotel_product().texts[0]
    start, end = text.index("objective:"), text.index("sources:")
    artifacts = MemoryArtifacts()
    release = stored_release(artifacts, product=hotel_product(file=text[:start] + text[end:]))
    with pytest.raises(ProductFileInvalid, match="objective"):
        load_release(release, artifacts, NamedRuntime())


def test_a_model_that_was_never_asked_is_closed_once_its_release_is_gone() -> None:
    stage = Stage()
    idle, next_one = PriceScorer(), PriceScorer()
    stage.runtime.scorers |= {"idle": idle, "next": next_one}

    async def scene(serving: Serving) -> None:
        for id, scorer in (("r0002", "idle"), ("r0003", "next")):
            stage.source.table = RouteTable(live=stage.stored(id, scorer=scorer))
            await serving.look()
        for _ in range(500):
            if idle.closed:
                break
            await asyncio.sleep(0.01)
        assert (idle.closed, next_one.closed) == (True, False)

    stage.play(scene)


@pytest.mark.parametrize("as_challenger", [False, True])
def test_a_release_whose_contract_types_a_column_otherwise_goes_live(as_challenger: bool) -> None:
    def release(id: str, kind: Any) -> Release:
        product = hotel_product(ColumnContract(name="extra", type=kind))
        return stage.stored(id, product=product)

    stage = Stage()
    stage.put(release("r0001", "string"))
    stage.serving.engine.predict([row(1, extra="x")])
    changed = release("r0002", "float")
    if as_challenger:
        assert stage.put(release("r0001", "string"), canary(changed, 0.5))
    else:
        assert stage.put(changed)
    assert stage.serving.engine.routes is not None
    assert [one.id for one in stage.serving.engine.routes.releases][-1] == "r0002"

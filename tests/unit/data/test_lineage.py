import msgspec
import pytest

from seatrial.data.lineage import Lineage, lineage
from seatrial.data.recording import RECHECK
from seatrial.errors import NotFound
from tests.asset import MODEL_ID, NAME, PREDICTION, Asset


@pytest.fixture(scope="module")
def asset() -> Asset:
    return Asset().fill()


def of(asset: Asset, id: str = "", direction: str = "both") -> Lineage:
    with asset.metadata.begin() as transaction:
        return lineage(transaction, asset.tables, NAME, id, direction)  # type: ignore[arg-type]


def keys(found: Lineage) -> set[str]:
    return {node.key for node in found.nodes}


def test_a_prediction_leads_back_to_every_load_that_its_model_learnt_from(asset: Asset) -> None:
    found = of(asset, PREDICTION, "up")
    first = asset.snapshots[0]
    assert found.start == f"prediction:{PREDICTION}"
    loads = {f"load:{source}-{number:04d}" for source in ("flights", "weather") for number in range(1, 6)}
    assert loads <= keys(found)
    assert {"release:r0001", f"model:{MODEL_ID}", f"snapshot:{first.id}", "source:weather"} <= keys(found)
    assert "load:flights-0006" not in keys(found)


def test_a_load_leads_on_to_everything_that_holds_its_rows(asset: Asset) -> None:
    found = of(asset, "flights-0006", "down")
    later = {f"snapshot:{snapshot.id}" for snapshot in asset.snapshots[1:]}
    assert later <= keys(found)
    assert not {f"snapshot:{asset.snapshots[0].id}", f"model:{MODEL_ID}", "release:r0001"} & keys(found)
    early = of(asset, "flights-0002", "down")
    assert {f"model:{MODEL_ID}", "release:r0001", "predictions:r0001"} <= keys(early)


def test_a_correction_leads_to_the_load_that_it_mended(asset: Asset) -> None:
    found = of(asset, "c0001", "down")
    assert "load:flights-0006" in keys(found)
    assert [edge.words for edge in found.uses("correction:c0001")] == ["mended 3 rows"]
    assert "correction:c0001" in keys(of(asset, asset.snapshots[-1].id, "up"))


def test_rows_that_are_checked_again_do_not_come_from_the_source() -> None:
    asset = Asset().fill(weeks=2)
    again = msgspec.structs.replace(asset.loads["flights"][-1], kind=RECHECK)
    with asset.metadata.begin() as transaction:
        transaction.put(again)
    found = of(asset, "flights-0002", "up")
    assert [edge.origin for edge in found.origins("load:flights-0002")] == ["load:flights-0001"]
    assert found.node("load:flights-0002").words.startswith("checked again under another contract")
    assert found.node("source:flights").words == "path, s3://lake/flights/*.parquet"


def test_predictions_of_a_release_are_counted_not_listed(asset: Asset) -> None:
    told = of(asset, "r0001", "down").node("predictions:r0001")
    assert told.words == "3 predictions of r0001"


def test_a_fallback_answer_is_no_work_of_the_model(asset: Asset) -> None:
    found = of(asset, "018f-fallback", "up")
    assert found.node(found.start).concern == "the fallback answered, not the model: model_failed"


def test_without_an_id_the_live_release_is_meant(asset: Asset) -> None:
    assert of(asset).start == "release:r0001"


def test_before_any_release_the_newest_snapshot_or_load_is_meant() -> None:
    asset = Asset().fill(weeks=2)
    assert of(asset).start == "load:weather-0002"
    asset.snapshot(1)
    assert of(asset).start == f"snapshot:{asset.snapshots[0].id}"


def test_a_digest_may_be_shortened_while_only_one_begins_so(asset: Asset) -> None:
    snapshot = asset.snapshots[1].id
    assert of(asset, snapshot.removeprefix("sha256:")[:8]).start == f"snapshot:{snapshot}"
    with pytest.raises(NotFound, match="beginning of several ids: load flights-0001"):
        of(asset, "flights-00")


def test_an_unknown_id_is_refused_with_those_that_look_alike(asset: Asset) -> None:
    with pytest.raises(NotFound, match=r"no source, load.* flihgts-0003; nearest:.* load flights-0003"):
        of(asset, "flihgts-0003")
    with pytest.raises(NotFound, match="nothing was read for parcels"), asset.metadata.begin() as transaction:
        lineage(transaction, asset.tables, "parcels")


def test_what_was_made_from_erased_rows_says_so() -> None:
    asset = Asset().fill()
    assert of(asset).node("release:r0001").concern == ""
    asset.erase(rows=12)
    found = of(asset)
    model = found.node(f"model:{MODEL_ID}")
    assert model.concern == "trained on examples that were erased later (12 of its snapshot)"
    assert found.node("release:r0001").concern.startswith("its model was trained on examples")
    assert f"model:{MODEL_ID}" in keys(of(asset, "e0001", "down"))


def test_every_edge_of_a_lineage_joins_two_of_its_nodes(asset: Asset) -> None:
    for id in ("", PREDICTION, "flights-0003", "weather", asset.snapshots[1].id):
        for direction in ("up", "down", "both"):
            found = of(asset, id, direction)
            assert {end for edge in found.edges for end in (edge.origin, edge.to)} <= keys(found)
            assert msgspec.json.decode(msgspec.json.encode(found), type=Lineage) == found


def test_each_load_tells_where_it_came_from_itself() -> None:
    asset = Asset().fill(weeks=2)
    origins = ("exports/january.csv", "exports/february.csv")
    with asset.metadata.begin() as transaction:
        for load, origin in zip(asset.loads["flights"], origins, strict=True):
            transaction.put(msgspec.structs.replace(load, origin=origin))
    found = of(asset, "flights-0001", "up")
    assert found.node("load:flights-0001").words.endswith("from exports/january.csv")
    assert found.node("source:flights").words == "path"

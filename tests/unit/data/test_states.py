import pytest

from seatrial.data.states import contract_of, found, key_of, named, pair, state_of
from seatrial.errors import NotFound
from tests.asset import CONTRACT, NAME, Asset


@pytest.fixture(scope="module")
def asset() -> Asset:
    return Asset().fill()


def chosen(asset: Asset, *names: str) -> tuple[str, str, str]:
    with asset.metadata.begin() as transaction:
        meant = pair(transaction, NAME, *names)
    return meant.table, meant.old.id, meant.new.id


def test_without_a_name_the_two_newest_snapshots_are_meant(asset: Asset) -> None:
    assert chosen(asset) == ("examples", asset.snapshots[-2].id, asset.snapshots[-1].id)


def test_a_source_means_its_two_newest_loads(asset: Asset) -> None:
    assert chosen(asset, "flights") == ("flights", "flights-0008", "flights-0009")


def test_one_id_is_held_against_the_newest_and_the_newest_against_the_one_before(asset: Asset) -> None:
    assert chosen(asset, "flights-0003") == ("flights", "flights-0003", "flights-0009")
    assert chosen(asset, "flights-0009") == ("flights", "flights-0008", "flights-0009")
    first = asset.snapshots[0].id
    assert chosen(asset, first.removeprefix("sha256:")[:9]) == ("examples", first, asset.snapshots[-1].id)


def test_two_ids_are_taken_in_their_order_if_they_are_of_one_table(asset: Asset) -> None:
    assert chosen(asset, "weather-0004", "weather-0002")[1:] == ("weather-0004", "weather-0002")
    with pytest.raises(NotFound, match="flights-0001 is of flights and weather-0002 of weather"):
        chosen(asset, "flights-0001", "weather-0002")


def test_what_is_not_there_is_refused_with_what_is() -> None:
    asset = Asset().fill(weeks=1)
    with pytest.raises(NotFound, match="there is no snapshot yet; two are needed"):
        chosen(asset)
    with pytest.raises(NotFound, match="there is one load of flights yet"):
        chosen(asset, "flights")
    with asset.metadata.begin() as transaction:
        assert named(transaction, NAME, "parcels") is None
        with pytest.raises(
            NotFound, match="no load or snapshot parcels-0001; the newest: flights-0001, weather-0001"
        ):
            found(transaction, NAME, "parcels-0001")


def test_a_state_holds_the_rows_as_they_stood_then(asset: Asset) -> None:
    early = state_of(asset.loads["flights"][2], asset.tables, asset.artifacts)
    assert early.frame.height == 1200
    assert early.profile is not None
    assert early.profile.rows == 1200
    snapshot = state_of(asset.snapshots[0], asset.tables, asset.artifacts)
    assert snapshot.frame.height == asset.snapshots[0].rows
    assert tuple(snapshot.frame.columns) == asset.snapshots[0].columns


def test_the_key_is_the_primary_key_or_the_products_key(asset: Asset) -> None:
    assert key_of(asset.product, "flights") == ("flight_id",)
    assert key_of(asset.product, "examples") == ("flight_id",)
    assert key_of(asset.product, "weather") == ()
    assert key_of(asset.product, "parcels") == ()


def test_the_contract_of_a_state_is_the_one_that_it_was_read_under(asset: Asset) -> None:
    loads = [load for group in asset.loads.values() for load in group]
    for fact in (asset.loads["flights"][0], asset.snapshots[-1]):
        held = contract_of(fact, loads, asset.artifacts)
        assert held is not None
        assert held.version == CONTRACT.version
    assert contract_of(asset.snapshots[-1], [], asset.artifacts) is None

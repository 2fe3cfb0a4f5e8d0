import msgspec
import pytest

from seatrial.cli.looks import bar, comparison_text, lineage_text, profile_text
from seatrial.contract.diff import Change
from seatrial.data.comparison import compared
from seatrial.data.lineage import lineage
from seatrial.data.profiles import ColumnSummary, summaries
from seatrial.data.states import key_of, state_of
from tests.asset import CAPTAIN, NAME, PREDICTION, Asset


@pytest.fixture(scope="module")
def asset() -> Asset:
    return Asset().fill()


def line(text: str, start: str) -> str:
    return next(one for one in text.splitlines() if one.startswith(start))


def difference(asset: Asset, *, change: Change | None = None) -> str:
    old, new = (state_of(fact, asset.tables, asset.artifacts) for fact in asset.snapshots[-2:])
    changes = (change,) if change else ()
    key = key_of(asset.product, "examples")
    return comparison_text(compared("examples", old, new, key=key, contract_changes=changes))


def test_bars_are_as_high_as_their_share_and_nothing_small_is_lost() -> None:
    assert bar([0.0, 0.5, 1.0, 0.001]) == " ▄█▁"
    assert bar([]) == ""
    assert bar([0.0]) == ""


def test_a_profile_tells_numbers_categories_and_what_is_hidden(asset: Asset) -> None:
    state = state_of(asset.snapshots[-1], asset.tables, asset.artifacts)
    assert state.profile is not None
    text = profile_text("examples", state.id, 3600, summaries(state.profile, {"captain"}))
    assert "3,600 rows" in text
    assert "5.6%" in line(text, "visib")
    assert "ZZ 2%" in line(text, "carrier")
    assert "hidden" in line(text, "captain")
    assert CAPTAIN not in text


def test_a_difference_tells_what_moved_and_leaves_out_what_did_not(asset: Asset) -> None:
    text = difference(asset)
    assert "3,200 rows → 3,600: 400 added, 0 removed, 0 changed" in text
    assert line(text, "visib").split()[-3:] == ["2.2%", "33.5%", "0"]
    assert line(text, "carrier").endswith("+ZZ")
    assert line(text, "flights").split()[1:] == ["distance.maximum", "2", "of", "402", "41", "of", "441"]
    assert not any(one.startswith(("late", "decision_at")) for one in text.splitlines())


def test_a_difference_tells_what_changed_in_the_contract(asset: Asset) -> None:
    change = Change(kind="breaking", place="flights.origin", what="LGA is gone", why="rows are put aside now")
    assert "breaking: flights.origin: LGA is gone; rows are put aside now" in difference(asset, change=change)


def test_a_lineage_is_a_tree_in_which_runs_of_loads_are_cut_short(asset: Asset) -> None:
    with asset.metadata.begin() as transaction:
        text = lineage_text(lineage(transaction, asset.tables, NAME, PREDICTION))
    assert text.startswith(f"prediction {PREDICTION}")
    rows = [row.strip("│ └├─") for row in text.splitlines()]
    order = [
        "release r0001",
        "model c4c4",
        "snapshot",
        "load flights-0005",
        "⋮  3 loads more",
        "load flights-0001",
    ]
    places = [next(i for i, row in enumerate(rows) if row.startswith(start)) for start in order]
    assert places == sorted(places)
    assert not any("flights-0003" in row for row in rows)
    assert text.endswith("went into\n└─ nothing")


def test_a_lineage_warns_of_what_was_made_from_erased_rows() -> None:
    asset = Asset().fill()
    asset.erase()
    with asset.metadata.begin() as transaction:
        text = lineage_text(lineage(transaction, asset.tables, NAME))
    assert "⚠ trained on examples that were erased later" in text
    assert "(shown above)" in text


def test_whole_numbers_are_told_whole_and_years_as_years() -> None:
    years = ColumnSummary(
        name="year",
        type="int",
        rows=10,
        missing=0.0,
        minimum=2015.0,
        quantiles={"0.01": 2014.97, "0.25": 2015.6, "0.5": 2016.0, "0.75": 2016.4, "0.99": 20170.0},
        maximum=1234567.0,
        mean=2016.157,
    )
    few = msgspec.structs.replace(years, name="nights", quantiles={"0.5": 2.96}, mean=3.43)
    text = profile_text("bookings", "bookings-0001", 10, [years, few])
    assert text.startswith("bookings bookings-0001: 10 rows")
    assert line(text, "year").split()[2:] == [
        "2015",
        "2015",
        "2016",
        "2016",
        "2016",
        "20,170",
        "1,234,567",
        "2016",
    ]
    assert line(text, "nights").split()[-2:] == ["1,234,567", "3.43"]


def test_small_shares_are_never_nothing() -> None:
    column = ColumnSummary(
        name="meal",
        type="string",
        rows=10**6,
        missing=0.0,
        top=(("BB", 0.9957), ("SC", 0.004), ("FB", 0.0003)),
    )
    assert "BB 100%  SC 0.4%  FB <0.1%" in profile_text("bookings", "bookings-0001", 10**6, [column])

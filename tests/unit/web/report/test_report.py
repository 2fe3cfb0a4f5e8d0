"""What the data report says, and that the page says it whole."""

import re
from datetime import timedelta

import msgspec
import polars as pl
import pytest

from seatrial.contract.model import ColumnContract
from seatrial.contract.odcs import write_contract
from seatrial.data.lineage import Lineage
from seatrial.data.profiles import Bar
from seatrial.data.provenance import Edge, Node, recorded
from seatrial.errors import NotFound
from seatrial.facts.finding import Incident
from seatrial.facts.job import Job
from seatrial.facts.snapshot import RuleResult
from seatrial.product.read import parse_product
from seatrial.web.report.concerns import refused
from seatrial.web.report.gathering import Gathering, gathered
from seatrial.web.report.page import page, spark
from seatrial.web.report.picture import drawn
from seatrial.web.report.views import Concern, Report
from seatrial.web.report.words import days, figure, number, prose, share
from tests.asset import (
    CAPTAIN,
    CONTRACT,
    FIRST,
    FLIGHTS,
    NAME,
    NOW,
    PRODUCT,
    WEEK,
    Asset,
    flights,
    in_memory,
    weather,
)


def report_of(asset: Asset) -> Report:
    return gathered(asset.workspace, asset.product)


@pytest.fixture(scope="module")
def report() -> Report:
    asset = Asset().fill()
    asset.erase()
    return report_of(asset)


@pytest.fixture(scope="module")
def calm() -> Report:
    """The sixth week, when nothing had happened yet; read right after the load."""
    return report_of(Asset(workspace=in_memory(FIRST + 5 * WEEK)).fill(weeks=6))


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return page(report)


def titles(report: Report, level: str) -> list[str]:
    return [concern.title for concern in report.concerns if concern.level == level]


def test_what_broke_comes_before_what_changed_and_says_what_to_do(report: Report) -> None:
    assert titles(report, "broken") == [
        "weather is stale",
        "flights breaks distance.maximum",
        "The model learnt from rows that were erased since",
        "distance changed beyond its budget of 0.1",
    ]
    assert set(titles(report, "changed")) == {"visib changed", "carrier changed"}
    assert titles(report, "note") == ["57 rows wait in quarantine"]
    levels = [concern.level for concern in report.concerns]
    assert levels == sorted(levels, key=["broken", "changed", "note"].index)
    assert all(concern.advice for concern in report.concerns)


def test_evidence_is_in_numbers(report: Report) -> None:
    told = {concern.title: concern.evidence for concern in report.concerns}
    assert "41 of 441 rows (9.3\u202f%, usually 0.5\u202f%)" in told["flights breaks distance.maximum"]
    assert "33 hours ago; the contract allows 24 hours. Predictions read visib" in told["weather is stale"]
    assert "35\u202f% missing in the newest reading, usually 0.3\u202f%" in told["visib changed"]
    assert "new: ZZ" in told["carrier changed"]
    assert "median 800 before" in told["distance changed beyond its budget of 0.1"]


def test_a_calm_week_raises_nothing(calm: Report) -> None:
    assert titles(calm, "broken") == []
    assert titles(calm, "changed") == []
    assert "Nothing is broken, nothing changed to speak of." in page(calm)


def test_a_rule_that_always_broke_as_often_is_no_news(calm: Report) -> None:
    rule = next(rule for rule in calm.rules if rule.rule == "distance.maximum")
    assert rule.failed == 2
    assert len(rule.trend) == 6


def test_a_rule_about_the_whole_table_tells_its_detail() -> None:
    asset = Asset().fill(weeks=3)
    load = asset.loads["flights"][-1]
    broken = RuleResult(
        source="flights", rule="rows", rows=1, failed=1, detail="expected 900 rows, found 402"
    )
    with asset.metadata.begin() as transaction:
        transaction.put(msgspec.structs.replace(load, rules=(*load.rules, broken)))
    told = {concern.title: concern for concern in report_of(asset).concerns}
    assert "expected 900 rows, found 402" in told["flights breaks rows"].evidence


def test_open_faults_and_work_that_was_given_up_come_first() -> None:
    asset = Asset().fill(weeks=5)
    with asset.metadata.begin() as transaction:
        fault = Incident(
            id="source-weather",
            product=NAME,
            release="",
            measure="source not read",
            kind="fault",
            cause="source weather cannot be read or breaks its contract: 403 Forbidden",
            began_at=FIRST,
            detected_at=FIRST,
            finding="",
        )
        transaction.put(fault)
        transaction.put(msgspec.structs.replace(fault, id="source-flights", closed_at=FIRST))
        job = Job(
            id="j1", product=NAME, kind="retrain", state="failed", created_at=FIRST, error="too few rows"
        )
        transaction.put(job)
    first, second = report_of(asset).concerns[:2]
    assert (first.level, first.title) == ("broken", "Source weather cannot be read or breaks its contract")
    assert "403 Forbidden" in first.evidence
    assert (second.title, second.evidence) == ("The last retrain was given up", "too few rows")


def test_loads_that_follow_at_once_are_one_reading() -> None:
    asset = Asset().fill(weeks=4)
    first, *later = asset.loads["flights"]
    with asset.metadata.begin() as transaction:
        for i, load in enumerate(later):
            moment = later[-1].read_at + timedelta(seconds=i)
            transaction.put(msgspec.structs.replace(load, read_at=moment))
    found = report_of(asset)
    rule = next(rule for rule in found.rules if rule.rule == "distance.maximum")
    assert (rule.failed, rule.rows) == (6, 3 * 402)
    assert [point.value for point in found.aside[0].trend] == [2, 6]
    source = found.sources[0]
    assert [load.number for load in source.last] == [2, 3, 4]
    assert first.id not in {load.id for load in source.last}


def test_before_any_model_the_features_of_the_product_file_count(calm: Report) -> None:
    asset = Asset().fill(weeks=5)
    for week in (5, 6, 7, 8):
        asset.load("flights", flights(week), week)
        asset.load("weather", weather(week), week)
    asset.snapshot(8)
    with asset.metadata.begin() as transaction:
        facts = recorded(transaction, NAME)
    bare = Gathering(
        asset.product,
        msgspec.structs.replace(facts, models=(), releases=()),
        asset.tables,
        asset.artifacts,
        NOW,
    ).report(None, [])
    assert {"visib changed", "carrier changed"} <= set(titles(bare, "changed"))
    assert [len(series) > 0 for series in bare.columns[0].bars] == [True, True, False]
    assert "the model learnt from" not in page(bare)


def test_what_was_read_and_is_in_no_snapshot_is_told(calm: Report) -> None:
    told = {concern.title: concern.evidence for concern in calm.concerns}
    evidence = told["The newest snapshot does not hold everything that was read"]
    assert "flights-0006 (2,400 rows; the snapshot has flights-0005)" in evidence


def test_new_examples_are_held_against_the_snapshot_before_and_the_models(report: Report) -> None:
    assert report.fresh == 400
    visib = next(column for column in report.columns if column.summary.name == "visib")
    assert visib.summary.rows == 400
    assert len(visib.bars) == 3
    assert visib.origin == "weather.visib, looked up"
    assert visib.missing[-1].value == pytest.approx(0.35, abs=0.05)
    assert visib.missing[0].value < 0.05
    ranked = [column.distance for column in report.columns]
    assert ranked == sorted(ranked, reverse=True)


def test_open_rows_of_the_quarantine_are_shown_masked(report: Report) -> None:
    aside = report.aside[0]
    assert (aside.rows, aside.expected, aside.trend[-1].value) == (57, "at most 6000", 41)
    assert '"captain":"***"' in aside.examples[0][1]


def test_before_any_snapshot_sources_are_shown_and_without_any_load_nothing_is() -> None:
    asset = Asset().fill(weeks=2)
    html = page(report_of(asset))
    assert "There is no snapshot with a profile yet" in html
    with pytest.raises(NotFound, match="nothing of flight-delays was read yet"):
        report_of(Asset(workspace=in_memory()))


def test_no_value_of_a_sensitive_column_is_on_the_page(html: str) -> None:
    assert CAPTAIN not in html


def test_the_page_asks_for_nothing_else(html: str) -> None:
    assert not re.findall(r"<(?:script|link rel=.stylesheet|img|iframe)", html)
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", html)
    assert not re.findall(r"url\((?!#)", html)


def test_every_chart_has_words_for_those_who_cannot_see_it(html: str) -> None:
    figures = re.findall(r"<figure[^>]*>", html)
    assert len(figures) > 12
    assert all('role="img"' in figure and 'aria-label="' in figure for figure in figures)
    assert "Values of visib: median" in html


def test_what_a_source_wrote_is_text_and_no_markup(report: Report) -> None:
    named = [
        msgspec.structs.replace(column, bars=tuple(_renamed(series) for series in column.bars))
        for column in report.columns
    ]
    assert "<script>" not in page(msgspec.structs.replace(report, columns=tuple(named)))
    asset = Asset().fill(weeks=5)
    load = asset.loads["flights"][-1]
    with asset.metadata.begin() as transaction:
        transaction.put(msgspec.structs.replace(load, origin="<script>alert(1)</script>"))
    assert "<script>" not in page(report_of(asset))


def _renamed(series: tuple[Bar, ...]) -> tuple[Bar, ...]:
    return tuple(msgspec.structs.replace(bar, label="<script>alert(2)</script>") for bar in series)


def test_the_lineage_is_drawn_from_sources_to_predictions(report: Report) -> None:
    assert report.lineage is not None
    picture = drawn(report.lineage)
    across = {box.kind: box.x for box in picture.boxes}
    order = ["source", "load", "snapshot", "model", "release", "3 predictions"]
    places = [across[kind] for kind in order]
    assert places == sorted(set(places))
    assert len(picture.lines) == 2 + 2 + 3
    assert {box.kind for box in picture.boxes if box.alarm} == {"snapshot", "model", "release"}
    assert len({(box.x, box.y) for box in picture.boxes}) == len(picture.boxes)


def test_a_source_read_lately_is_fresh_and_grows_stale() -> None:
    def stale(weeks: int) -> list[bool]:
        workspace = in_memory(FIRST + weeks * WEEK)
        return [source.stale for source in report_of(Asset(workspace=workspace).fill(weeks=5)).sources]

    assert stale(4) == [False, False]
    assert stale(5) == [False, True]
    assert stale(8) == [True, True]


def test_numbers_are_written_as_people_read_them() -> None:
    assert [number(value) for value in (1234567.0, 0.012345, -3.0, None)] == [
        "1,234,567",
        "0.0123",
        "\u22123",
        "\u2013",
    ]
    assert [share(value) for value in (0.0, 0.0004, 0.093, 0.35)] == [
        "0\u202f%",
        "<0.1\u202f%",
        "9.3\u202f%",
        "35\u202f%",
    ]
    assert [days(timedelta(hours=hours).total_seconds()) for hours in (1, 5, 72)] == [
        "60 minutes",
        "5 hours",
        "3 days",
    ]
    assert [figure(2015.98, "int"), figure(20160.2, "int"), figure(2015.98, "float")] == [
        "2016",
        "20,160",
        "2,016",
    ]
    assert prose("run `seatrial <x>` & see") == "run <code>seatrial &lt;x&gt;</code> &amp; see"
    assert spark([0.0, 1.0, 0.5]).split() == ["0.0,20.0", "48.0,2.0", "96.0,11.0"]


def refuse(asset: Asset, source: str, reason: str) -> None:
    with asset.metadata.begin() as transaction:
        body = {"code": "data_refused", "reason": reason}
        transaction.log(product=NAME, kind="source refused", subject=source, body=body)


def refused_beside(asset: Asset, cause: str) -> list[str]:
    """What is told of refusals while an incident is open."""
    incident = Incident(
        id="i1",
        product=NAME,
        release="",
        measure="source not read",
        kind="fault",
        cause=cause,
        began_at=FIRST,
        detected_at=FIRST,
        finding="",
    )
    with asset.metadata.begin() as transaction:
        entries = transaction.logbook(NAME)
    return [concern.title for concern in refused(entries, asset.loads, [incident])]


def test_a_source_that_was_refused_comes_first_until_it_is_loaded_again() -> None:
    workspace = in_memory(FIRST + 5 * WEEK)
    asset = Asset(workspace=workspace).fill(weeks=6)
    refuse(asset, "weather", "the first refusal")
    refuse(asset, "weather", "the rows lack column visib")
    told = report_of(asset).concerns
    assert [one.title for one in told].count("weather was refused") == 1
    assert told[0].level == "broken"
    assert told[0].evidence.startswith("the rows lack column visib (on ")
    assert "weather was refused" in page(report_of(asset))
    assert refused_beside(asset, "source weather cannot be read: the rows lack column visib") == []
    assert refused_beside(asset, "source flights cannot be read: 403 Forbidden") == ["weather was refused"]
    asset.load("weather", weather(6), 6)
    assert "weather was refused" not in titles(report_of(asset), "broken")


def test_what_is_derived_from_a_sensitive_column_is_as_hidden() -> None:
    def classified(column: ColumnContract) -> ColumnContract:
        kind = "restricted" if column.name == "distance" else column.classification
        return msgspec.structs.replace(column, classification=kind)

    table = msgspec.structs.replace(FLIGHTS, columns=tuple(map(classified, FLIGHTS.columns)))
    contract = msgspec.structs.replace(CONTRACT, tables=(table, *CONTRACT.tables[1:]))
    asset = Asset(product=parse_product(PRODUCT, write_contract(contract))).fill()
    hidden = {column.summary.name for column in report_of(asset).columns if column.summary.hidden}
    assert hidden == {"captain", "distance", "long_haul", "far_and_foggy"}


def test_loads_are_drawn_with_their_whole_ids_however_long() -> None:
    name = "load-of-a-source-with-a-long-name"
    nodes = [Node(kind="load", id=f"{name}-{number:04d}", at=NOW, words="") for number in (1, 2)] + [
        Node(kind="snapshot", id="sha256:" + "a" * 64, at=NOW, words="")
    ]
    edges = [Edge(origin=node.key, to=nodes[-1].key, words="") for node in nodes[:-1]]
    picture = drawn(
        Lineage(product=NAME, start=nodes[-1].key, direction="up", nodes=tuple(nodes), edges=tuple(edges))
    )
    assert [box.title for box in picture.boxes] == [f"{name}-0001", f"{name}-0002", "a" * 12 + "\u2026"]
    assert picture.box_width > 7 * len(f"{name}-0001")
    assert picture.width > 2 * picture.box_width


def newest_of_flights(change: pl.Expr, *, weeks: int = 6) -> list[Concern]:
    """What is told of flights after a load that no snapshot holds, some column of it changed."""
    asset = Asset(workspace=in_memory(FIRST + weeks * WEEK)).fill(weeks=weeks)
    asset.load("flights", flights(weeks).with_columns(change), weeks)
    # Neither a reading of nothing nor one of a few odd rows tells anything, and neither hides what came before.
    asset.load("flights", flights(weeks).clear(), weeks + 1)
    asset.load("flights", flights(weeks + 1, rows=5).with_columns(distance=1.0), weeks + 2)
    return [one for one in report_of(asset).concerns if one.title == "flights changed with load flights-0007"]


def test_what_the_newest_load_changed_is_told_before_any_snapshot_holds_it() -> None:
    (concern,) = newest_of_flights(pl.col("distance") / 10)
    assert concern.level == "changed"
    assert concern.evidence.startswith("distance: distance 0.9")
    assert "(median 8" in concern.evidence
    assert "`seatrial data diff flights`" in concern.advice
    assert newest_of_flights(pl.col("distance")) == []


def test_categories_and_missing_values_of_the_newest_load_are_told_and_no_hidden_value() -> None:
    (carrier,) = newest_of_flights(pl.lit("XQ").alias("carrier"))
    assert "new: XQ" in carrier.evidence
    (gone,) = newest_of_flights(pl.lit(None, pl.Float64).alias("distance"))
    assert "distance: 100\u202f% missing, 0\u202f% before" in gone.evidence
    told = newest_of_flights(pl.lit("Bessie C.").alias("captain"))
    assert [one for one in told if "Bessie" in one.evidence] == []


def test_outcomes_that_come_later_are_no_change() -> None:
    assert newest_of_flights(pl.lit(None, pl.Boolean).alias("late")) == []

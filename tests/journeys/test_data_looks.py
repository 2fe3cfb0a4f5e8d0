"""The looks at data from the command line over a real workspace, and the report in a real browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import Browser, Page, sync_playwright

from seatrial.cli.data_looks import diff, lineage, profile, report
from seatrial.contract.odcs import write_contract
from seatrial.settings import read_settings
from seatrial.web.report.gathering import gathered
from seatrial.web.report.page import page as written
from seatrial.wiring import open_workspace
from tests.asset import CAPTAIN, CONTRACT, PREDICTION, PRODUCT, Asset

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product's folder with its workspace filled."""
    home = tmp_path_factory.mktemp("product")
    (home / "product.yaml").write_text(PRODUCT)
    (home / "contract.yaml").write_text(write_contract(CONTRACT))
    workspace = open_workspace(read_settings({}, folder=home, environment={}))
    Asset(workspace=workspace).fill()
    workspace.metadata.close()
    return home


def ran(command: click.Command, folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["-C", str(folder), *arguments])


def told(command: click.Command, folder: Path, *arguments: str) -> Any:
    result = ran(command, folder, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_profiles_are_told_of_snapshots_and_of_loads(folder: Path) -> None:
    text = ran(profile, folder).stdout
    assert "examples" in text
    assert "3,600 rows" in text
    assert CAPTAIN not in text
    early = told(profile, folder, "weather", "--load", "2")
    assert (early["state"], early["rows"]) == ("weather-0002", 330)
    assert [column["name"] for column in early["columns"]] == ["origin", "observed_at", "visib"]


def test_what_is_not_there_is_refused_in_words(folder: Path) -> None:
    refused = ran(profile, folder, "parcels")
    assert refused.exit_code == 1
    assert "it may be one of examples, flights, weather" in refused.stderr
    assert ran(diff, folder, "flights-0001", "weather-0001").exit_code == 1
    assert "nearest" in ran(lineage, folder, "flihgts-0003").stderr


def test_differences_are_told_for_people_and_for_machines(folder: Path) -> None:
    assert "+ZZ" in ran(diff, folder).stdout
    found = told(diff, folder, "flights-0001", "flights-0002")
    assert (found["rows"]["added"], found["rows"]["removed"], found["rows"]["changed"]) == (400, 0, 0)


def test_a_prediction_is_traced_to_its_sources(folder: Path) -> None:
    assert "source weather" in ran(lineage, folder, PREDICTION, "--up").stdout
    found = told(lineage, folder, "flights-0001", "--down")
    assert {"release", "predictions"} <= {node["kind"] for node in found["nodes"]}


def test_the_history_is_exported_as_events_one_per_line(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    count = told(lineage, folder, "--openlineage", str(file))["events"]
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(events) == count == 2 * (18 + 3 + 1 + 1)
    assert {event["eventType"] for event in events} == {"START", "COMPLETE"}


def test_the_report_is_one_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    found = told(report, folder, "--out", str(file))
    assert found["concerns"][0]["level"] == "broken"
    assert "weather is stale" in file.read_text()
    assert "weather is stale" in ran(report, folder, "--out", str(file)).stdout


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asset = Asset().fill()
    asset.erase()
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(written(gathered(asset.workspace, asset.product)))
    return file


def opened(browser: Browser, file: Path, *, width: int = 1280, dark: bool = False) -> tuple[Page, list[str]]:
    """The page, and everything it asked for or complained about."""
    noted: list[str] = []
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale="en-GB"
    )
    page.on("request", lambda request: noted.append(request.url))
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.goto(file.as_uri())
    return page, noted


@pytest.mark.xdist_group("browser")
def test_a_person_reads_what_broke_first_and_the_page_asks_nobody(browser: Browser, file: Path) -> None:
    page, noted = opened(browser, file)
    assert [note for note in noted if not note.startswith(("file:", "data:"))] == []
    first = page.locator(".concerns li").first
    assert "weather is stale" in first.inner_text()
    box = first.bounding_box()
    assert box is not None
    assert box["y"] < 400
    chart = page.get_by_role("img", name="Values of distance").bounding_box()
    assert chart is not None
    assert chart["width"] > 200
    bar = page.locator("#columns path[fill='var(--accent)']").first
    assert bar.evaluate("e => getComputedStyle(e).fill") == "rgb(15, 107, 143)"


@pytest.mark.xdist_group("browser")
def test_the_report_fits_a_phone_and_follows_the_dark_scheme(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, width=390, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 21, 27)"


@pytest.mark.xdist_group("browser")
def test_steady_columns_open_by_keyboard(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    hidden = page.locator("#columns details article", has_text="captain")
    assert not hidden.is_visible()
    page.locator("#columns summary").focus()
    page.keyboard.press("Enter")
    assert hidden.is_visible()
    assert "no value is shown" in hidden.inner_text()


def test_what_is_derived_from_a_classified_column_is_hidden_too(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "product"
    shutil.copytree(folder, home)
    before = {column["name"]: column for column in told(profile, home)["columns"]}
    assert before["long_haul"]["top"]
    columns = [
        msgspec.structs.replace(column, classification="restricted") if column.name == "distance" else column
        for column in CONTRACT.tables[0].columns
    ]
    flights = msgspec.structs.replace(CONTRACT.tables[0], columns=tuple(columns))
    contract = msgspec.structs.replace(CONTRACT, tables=(flights, *CONTRACT.tables[1:]))
    (home / "contract.yaml").write_text(write_contract(contract))
    hidden = {column["name"] for column in told(profile, home)["columns"] if column["hidden"]}
    assert hidden == {"captain", "distance", "long_haul", "far_and_foggy"}

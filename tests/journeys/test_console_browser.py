"""The console in a real browser, served by the server that serves it in production."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import launched

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (Debian: apt-get install chromium)"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture
def address() -> Iterator[str]:
    """A console of its own, since tests act on it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "tests.console_world:app"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/livez", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended before it answered"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"{url} did not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def opened(browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> tuple[Page, list[str]]:
    """The page, and everything it asked for or complained about."""
    noted: list[str] = []
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale="en-GB"
    )
    page.on("request", lambda request: noted.append(request.url))
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.goto(url)
    return page, noted


def test_the_page_is_shown_whole_without_a_complaint_and_without_asking_anyone_else(
    browser: Browser, address: str
) -> None:
    page, noted = opened(browser, f"{address}/products/{launched.NAME}")
    assert [note for note in noted if not note.startswith((address, "data:"))] == []
    assert page.locator("h1").inner_text() == launched.NAME
    assert page.get_by_text("Earned above the baseline").is_visible()
    chart = page.get_by_role("img", name="Value so far in USD")
    box = chart.bounding_box()
    assert box is not None
    assert box["width"] > 600
    assert box["height"] > 200
    line = chart.locator("path[stroke='var(--accent)']").first
    assert line.evaluate("e => getComputedStyle(e).stroke") == "rgb(15, 107, 143)"


def test_the_page_fits_a_phone_and_follows_the_dark_scheme(browser: Browser, address: str) -> None:
    page, _ = opened(browser, f"{address}/products/{launched.NAME}", width=390, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 21, 27)"


def test_evidence_opens_by_keyboard(browser: Browser, address: str) -> None:
    page, _ = opened(browser, f"{address}/products/{launched.NAME}")
    evidence = page.get_by_text("promise above zero").first
    assert not evidence.is_visible()
    page.locator("#releases summary").nth(0).focus()
    page.keyboard.press("Enter")
    assert evidence.is_visible()


def test_a_person_rolls_back_only_after_typing_the_products_name(browser: Browser, address: str) -> None:
    page, _ = opened(browser, f"{address}/products/{launched.NAME}")
    form = page.locator("form[action$='/rollback']")
    form.get_by_label("Why").fill("crews complain")
    form.get_by_label("Type flight-delays").fill("something else")
    form.get_by_role("button").click()
    expect(page.get_by_text("Nothing was changed")).to_be_visible()
    page.goto(f"{address}/products/{launched.NAME}")
    form.get_by_label("Why").fill("crews complain")
    form.get_by_label("Type flight-delays").fill(launched.NAME)
    form.get_by_role("button").click()
    expect(page.locator(".lead")).to_contain_text("Release r0001")
    expect(page.locator("#logbook").get_by_role("cell", name="crews complain", exact=True)).to_be_visible()

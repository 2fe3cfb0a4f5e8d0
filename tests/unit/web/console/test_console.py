import asyncio
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import msgspec
import pytest

from seatrial.facts.finding import Verdict
from seatrial.web.console.app import build
from tests import launched
from tests.console_world import DECLARED, World

PAGE = f"/products/{launched.NAME}"
HOST = "http://127.0.0.1"
HERE = {"Origin": HOST}


@pytest.fixture
def world() -> World:
    return World().launch()


def ask(world: World, method: str, path: str, *, acts: bool = True, **more: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=build(world.console(acts=acts)))
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            return await client.request(method, path, **more)

    return asyncio.run(go())


class _Tags(HTMLParser):
    """Every tag with its attributes, and whether what was opened was closed in order."""

    VOID = frozenset({"meta", "link", "input", "br", "rect", "path", "line", "image"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.faults: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.stack or self.stack.pop() != tag:
            self.faults.append(tag)


def test_the_list_names_every_product_and_what_is_live(world: World) -> None:
    page = ask(world, "GET", "/").text
    assert launched.NAME in page
    assert DECLARED in page
    assert "r0003" in page
    assert "1 open incident" in page


def test_an_empty_workspace_says_what_to_do_first() -> None:
    answer = ask(World(), "GET", "/")
    assert answer.status_code == 200
    assert "seatrial init" in answer.text


def test_the_page_leads_with_value_its_interval_and_the_promise(world: World) -> None:
    page = ask(world, "GET", PAGE).text
    statement = launched.statement()
    assert f"{statement.advantage.value:+,.0f}" in page
    assert f"{statement.advantage.lower:,.0f} to {statement.advantage.upper:,.0f}" in page
    assert "promised: 212" in page
    assert "192 to 232" in page


@pytest.mark.parametrize(
    "expected",
    [
        "r0003",
        "promise above zero",
        "concept drift",
        "distance from training",
        "wind_gust missing",
        "Monitoring",
        "Every model input is written down",
        "act always",
        "rollback drill",
        "verified",
        launched.model(3).id,
    ],
)
def test_the_page_shows_each_part_of_the_loop(world: World, expected: str) -> None:
    assert expected in ask(world, "GET", PAGE).text


@pytest.mark.parametrize("path", ["/", PAGE, f"/products/{DECLARED}", "/products/unheard"])
def test_pages_are_whole_and_load_nothing_from_elsewhere(world: World, path: str) -> None:
    answer = ask(world, "GET", path)
    tags = _Tags(answer.text)
    assert not tags.faults
    assert not tags.stack
    assert "script" not in {tag for tag, _ in tags.tags}
    sources = [
        a.get("src") or a.get("href") or "" for tag, a in tags.tags if tag in {"img", "link", "iframe"}
    ]
    assert all(source.startswith("data:") for source in sources)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_every_field_has_a_label_and_every_table_column_a_head(world: World) -> None:
    page = ask(world, "GET", PAGE).text
    for field in re.findall(r"<input(?![^>]*hidden)[^>]*>", page):
        assert re.search(r"<label>[^<]*" + re.escape(field), page)
    assert page.count("<table") - page.count("<thead") == 1


def test_the_chart_is_drawn_once_for_equal_data_and_follows_the_pages_colours(world: World) -> None:
    from seatrial.web.console.chart import value_chart

    page = ask(world, "GET", PAGE).text
    drawn = value_chart.cache_info().misses
    assert "var(--accent)" in page
    assert "#030303" not in page
    ask(world, "GET", PAGE)
    assert value_chart.cache_info().misses == drawn


def test_text_from_outside_cannot_become_markup(world: World) -> None:
    nasty = msgspec.structs.replace(launched.incidents()[1], id="i9", cause="<script>alert(1)</script>")
    with world.metadata.begin() as transaction:
        transaction.put(nasty)
    page = ask(world, "GET", PAGE).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_product_without_anything_says_what_to_do_next(world: World) -> None:
    answer = ask(world, "GET", f"/products/{DECLARED}")
    assert answer.status_code == 200
    for command in ("seatrial check", "seatrial train", "seatrial rehearse", "seatrial readiness"):
        assert command in answer.text
    assert "nothing live" in answer.text
    assert "<form" not in answer.text


def test_a_snapshot_without_a_model_asks_for_training() -> None:
    world = World()
    with world.metadata.begin() as transaction:
        transaction.put(launched.snapshot())
    assert "no model yet" in ask(world, "GET", PAGE).text


def test_the_api_gives_everything_the_page_shows(world: World) -> None:
    body = ask(world, "GET", f"/api/products/{launched.NAME}").json()
    assert body["live"]["id"] == "r0003"
    assert body["statement"]["unit"] == "USD"
    assert len(body["readiness"]["results"]) == 28
    assert body["findings"][0]["verdict"] == Verdict.ALARM
    assert body["logbook"]["faults"] == []
    assert {one["product"] for one in ask(world, "GET", "/api/products").json()} == {launched.NAME, DECLARED}


def test_an_unknown_product_is_a_404_in_words_and_in_json(world: World) -> None:
    page, body = ask(world, "GET", "/products/unheard"), ask(world, "GET", "/api/products/unheard")
    assert (page.status_code, body.status_code) == (404, 404)
    assert "no product unheard" in page.text
    assert body.json()["error"] == "not_found"


def test_a_changed_logbook_entry_is_shown_as_a_broken_chain(world: World) -> None:
    book = world.metadata.state.logbook
    book[3] = msgspec.structs.replace(book[3], subject="r9999")
    page = ask(world, "GET", PAGE).text
    assert "chain broken" in page
    assert "entry 4: its content was changed" in page
    assert "verified" not in page


def test_livez_answers_without_looking_at_the_store() -> None:
    assert ask(World(), "GET", "/livez").text == "ok\n"


def form(**fields: str) -> dict[str, str]:
    return {"product": launched.NAME, **fields}


def test_a_confirmed_rollback_from_the_page_takes_the_live_release_back(world: World) -> None:
    answer = ask(world, "POST", f"{PAGE}/rollback", data=form(why="it is wrong"), headers=HERE)
    assert answer.status_code == 303
    assert answer.headers["location"] == PAGE
    assert world.live().id == "r0001"
    entries = [entry for entry in world.metadata.state.logbook if entry.kind == "release rolled back"]
    assert (entries[-1].subject, entries[-1].body["why"], entries[-1].actor) == (
        "r0003",
        "it is wrong",
        "console",
    )


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8401", 200), ("127.0.0.1", 200), ("[::1]:8401", 200), ("evil.example:8401", 400)],
)
def test_the_console_answers_under_every_name_of_this_machine_and_no_other(
    world: World, host: str, status: int
) -> None:
    assert ask(world, "GET", "/livez", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Referer": "http://evil.example/127.0.0.1"}, 403),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 400),
        ({"Referer": f"{HOST}{PAGE}"}, 303),
    ],
)
def test_only_a_page_of_the_console_itself_may_act(
    world: World, headers: dict[str, str], status: int
) -> None:
    answer = ask(world, "POST", f"{PAGE}/rollback", data=form(), headers=headers)
    assert answer.status_code == status
    assert world.live().id == ("r0001" if status == 303 else "r0003")


@pytest.mark.parametrize("typed", ["", "flight", "Flight-delays"])
def test_an_act_without_the_products_name_changes_nothing(world: World, typed: str) -> None:
    answer = ask(world, "POST", f"{PAGE}/rollback", data=form(product=typed), headers=HERE)
    assert answer.status_code == 400
    assert launched.NAME in answer.text
    assert world.live().id == "r0003"


def test_an_endless_form_is_not_read(world: World) -> None:
    answer = ask(world, "POST", f"{PAGE}/rollback", data=form(why="x" * 5000), headers=HERE)
    assert answer.status_code == 400
    assert world.live().id == "r0003"


def test_a_rollback_without_a_predecessor_is_refused_in_words(world: World) -> None:
    ask(world, "POST", f"{PAGE}/rollback", data=form(), headers=HERE)
    answer = ask(world, "POST", f"{PAGE}/rollback", data=form(), headers=HERE)
    assert answer.status_code == 404
    assert "no predecessor" in answer.text


def test_an_approval_names_the_release_on_trial(world: World) -> None:
    answer = ask(world, "POST", f"{PAGE}/approve", data=form(release="r0004"), headers=HERE)
    assert answer.status_code == 303
    assert world.approved == [(launched.NAME, "r0004", "console")]


def test_without_acts_there_are_no_forms_and_no_effects(world: World) -> None:
    assert "<form" not in ask(world, "GET", PAGE, acts=False).text
    for act in ("rollback", "approve"):
        answer = ask(world, "POST", f"{PAGE}/{act}", acts=False, data=form(release="r0004"), headers=HERE)
        assert answer.status_code == 404
    assert world.live().id == "r0003"

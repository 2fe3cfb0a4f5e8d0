"""The console for whoever has a token: as a header, or by signing in with a browser."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from seatrial.web.console.app import build
from seatrial.web.console.entry import COOKIE
from seatrial.web.tokens import revoke_token
from tests import launched
from tests.console_world import DECLARED, World

PAGE = f"/products/{launched.NAME}"
HOST = "http://console.example"
HERE = {"Origin": HOST}
OPEN_PATHS = {"/livez", "/login", "/logout"}
Visit = Callable[[httpx.AsyncClient], Awaitable[Any]]


@pytest.fixture
def world() -> World:
    return World().launch()


def visit(world: World, go: Visit, *, base: str = HOST) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(app=build(world.console(tokens=True)))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await go(client)

    return asyncio.run(run())


def ask(world: World, method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= more.pop("headers", {})
    answer = visit(world, lambda client: client.request(method, path, headers=headers, **more))
    assert isinstance(answer, httpx.Response)
    return answer


def rollback(**more: str) -> dict[str, str]:
    return {"product": launched.NAME, "why": "crews complain", **more}


async def sign_in(client: httpx.AsyncClient, token: str, after: str = "/") -> httpx.Response:
    return await client.post("/login", data={"token": token, "next": after}, headers=HERE)


def test_nothing_but_health_and_the_form_is_shown_without_a_token(world: World) -> None:
    app: Starlette = build(world.console(tokens=True))
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert len(routes) > 8
    for route in routes:
        path = route.path.format(product=launched.NAME)
        for method in (route.methods or set()) - {"HEAD"}:
            answer = ask(world, method, path, data=rollback() if method == "POST" else None, headers=HERE)
            if path in OPEN_PATHS:
                assert answer.status_code in (200, 303, 401)
                continue
            assert answer.status_code in (303, 401), path
            assert answer.headers.get("location", "/login").startswith("/login"), path
            assert "r0003" not in answer.text, path
    assert world.live().id == "r0003"


def test_the_api_asks_for_a_bearer_token_and_pages_lead_to_the_form(world: World) -> None:
    body = ask(world, "GET", f"/api{PAGE}")
    assert (body.status_code, body.json()["error"]) == (401, "unauthorized")
    assert body.headers["www-authenticate"] == 'Bearer realm="seatrial"'
    page = ask(world, "GET", PAGE)
    assert (page.status_code, page.headers["location"]) == (303, f"/login?next={PAGE}")
    assert ask(world, "GET", "/products/%3Cscript%3E").headers["location"] == "/login?next=/"


@pytest.mark.parametrize("scope", ["operate", "admin"])
def test_a_token_for_operating_reads_and_acts_and_the_logbook_names_it(world: World, scope: str) -> None:
    text = world.token("duty-officer", scope)
    assert ask(world, "GET", f"/api{PAGE}", text).json()["live"]["id"] == "r0003"
    assert ask(world, "POST", f"{PAGE}/rollback", text, data=rollback()).status_code == 303
    assert ask(world, "POST", f"{PAGE}/approve", text, data=rollback(release="r0004")).status_code == 303
    entry = [one for one in world.metadata.state.logbook if one.kind == "release rolled back"][-1]
    assert (entry.actor, entry.body["why"]) == ("token:duty-officer", "crews complain")
    assert world.approved == [(launched.NAME, "r0004", "token:duty-officer")]


def test_a_token_for_predictions_only_is_refused_in_words(world: World) -> None:
    text = world.token("till", "predict", "outcomes")
    answer = ask(world, "GET", f"/api{PAGE}", text)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert "expected one for operate" in answer.json()["message"]
    assert ask(world, "POST", f"{PAGE}/rollback", text, data=rollback()).status_code == 403
    assert world.live().id == "r0003"


def test_a_token_of_one_product_sees_that_product_alone(world: World) -> None:
    text = world.token("quay", "operate", product=DECLARED)
    assert [one["product"] for one in ask(world, "GET", "/api/products", text).json()] == [DECLARED]
    assert ask(world, "GET", f"/api/products/{DECLARED}", text).status_code == 200
    assert ask(world, "GET", f"/api{PAGE}", text).status_code == 403
    assert ask(world, "POST", f"{PAGE}/rollback", text, data=rollback()).status_code == 403
    assert world.live().id == "r0003"


def test_a_browser_signs_in_acts_under_its_tokens_name_and_signs_out(world: World) -> None:
    text = world.token("duty-officer", "operate")

    async def go(client: httpx.AsyncClient) -> None:
        form = await client.get("/login", params={"next": PAGE})
        assert f'value="{PAGE}"' in form.text
        entered = await sign_in(client, text, PAGE)
        assert (entered.status_code, entered.headers["location"]) == (303, PAGE)
        cookie = entered.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Secure" not in cookie
        assert text.split("_")[2] not in cookie
        page = await client.get(PAGE)
        assert page.status_code == 200
        assert "duty-officer" in page.text
        assert "Sign out" in page.text
        acted = await client.post(f"{PAGE}/rollback", data=rollback(), headers=HERE)
        assert acted.status_code == 303
        left = await client.post("/logout", headers=HERE)
        assert left.headers["location"] == "/login"
        assert (await client.get(PAGE)).status_code == 303
        client.cookies.set(COOKIE, cookie.split("=", 1)[1].split(";")[0])
        assert (await client.get(PAGE)).status_code == 303

    visit(world, go)
    assert world.live().id == "r0001"
    assert world.metadata.state.logbook[-1].actor == "token:duty-officer"


def test_a_signed_in_browser_acts_for_no_page_of_another_site(world: World) -> None:
    text = world.token("duty-officer", "operate")

    async def go(client: httpx.AsyncClient) -> None:
        await sign_in(client, text)
        for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            for path in (f"{PAGE}/rollback", "/logout"):
                answer = await client.post(path, data=rollback(), headers=headers)
                assert answer.status_code == 403
        assert (await client.get(PAGE)).status_code == 200

    visit(world, go)
    assert world.live().id == "r0003"


def test_a_foreign_page_cannot_sign_a_browser_in(world: World) -> None:
    text = world.token("duty-officer", "operate")
    answer = ask(world, "POST", "/login", data={"token": text}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("days", [1, None])
def test_a_session_ends_with_its_hours_and_with_its_token(world: World, days: int | None) -> None:
    text = world.token("duty-officer", "operate", days=days)
    console = world.console(tokens=True)
    table = console.tokens
    assert table is not None

    async def go() -> None:
        transport = httpx.ASGITransport(app=build(console))
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            await sign_in(client, text)
            world.clock.advance(hours=11)
            assert (await client.get(PAGE)).status_code == 200
            if days is None:
                revoke_token(world.metadata, "duty-officer", now=world.clock.now(), by="ada", why="left")
                table.refresh()
                assert (await client.get(PAGE)).status_code == 303
                return
            world.clock.advance(hours=1)
            assert (await client.get(PAGE)).status_code == 303
            await sign_in(client, text)
            assert (await client.get(PAGE)).status_code == 200
            world.clock.advance(hours=13)
            assert (await client.get(PAGE)).status_code == 303
            assert (await sign_in(client, text)).status_code == 401

    asyncio.run(go())


@pytest.mark.parametrize(
    ("token", "status", "said"),
    [
        ("", 401, "This is no token."),
        ("seatrial_x", 401, "This is no token."),
        (f"seatrial_{'0' * 12}_{'a' * 43}", 401, "This token is not known here."),
        ("{predict}", 403, "expected one for operate"),
    ],
)
def test_a_token_that_does_not_do_is_refused_on_the_form_and_not_shown_again(
    world: World, token: str, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = token.format(predict=world.token("till", "predict"))
    caplog.set_level(logging.DEBUG)

    async def go(client: httpx.AsyncClient) -> httpx.Response:
        return await sign_in(client, given)

    answer = visit(world, go)
    assert answer.status_code == status
    assert said in answer.text
    assert "set-cookie" not in answer.headers
    assert not given or given not in answer.text + str(answer.headers) + caplog.text


@pytest.mark.parametrize(
    "after", ["//evil.example", "http://evil.example", "/\\evil.example", "/logout", "/products/../x\n"]
)
def test_signing_in_leads_to_no_other_site(world: World, after: str) -> None:
    text = world.token("duty-officer", "operate")

    async def go(client: httpx.AsyncClient) -> httpx.Response:
        assert 'name="next" value="/"' in (await client.get("/login", params={"next": after})).text
        return await sign_in(client, text, after)

    assert visit(world, go).headers["location"] == "/"


def test_over_tls_the_cookie_is_for_tls_alone(world: World) -> None:
    text = world.token("duty-officer", "operate")

    async def go(client: httpx.AsyncClient) -> list[str]:
        proxied = {**HERE, "X-Forwarded-Proto": "https"}
        answer = await client.post("/login", data={"token": text}, headers=proxied)
        direct = await client.post(
            "https://console.example/login",
            data={"token": text},
            headers={"Origin": "https://console.example"},
        )
        return [answer.headers["set-cookie"], direct.headers["set-cookie"]]

    assert all("Secure" in cookie for cookie in visit(world, go))


def test_a_token_in_an_address_is_masked_in_the_answer(world: World) -> None:
    text = world.token("duty-officer", "operate")
    for path in (f"/products/{text}", f"/api/products/{text}", f"/{text}"):
        answer = ask(world, "GET", path, text)
        assert text.split("_")[2] not in answer.text + str(answer.headers)


def test_sessions_do_not_fill_the_memory(world: World) -> None:
    from seatrial.web.console.entry import _SESSIONS, Entry

    entry, text, now = Entry(world.table()), world.token("duty-officer", "operate"), world.clock.now()
    entry._tokens.refresh()
    for _ in range(_SESSIONS + 5):
        entry.sign_in(text, now)
    assert len(entry._sessions) == _SESSIONS


def test_without_tokens_nobody_signs_in() -> None:
    async def run() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app=build(World().launch().console()))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            form = await client.get("/login")
            posted = await client.post("/login", data={"token": "x"}, headers={"Origin": "http://127.0.0.1"})
            return form, posted

    form, posted = asyncio.run(run())
    assert form.headers["location"] == "/"
    assert posted.status_code == 404


def test_the_application_keeps_its_tokens_fresh_while_it_lives(world: World) -> None:
    from seatrial.web.token_table import TokenTable
    from seatrial.web.tokens import all_tokens

    text = world.token("duty-officer", "operate")
    table = TokenTable(lambda: all_tokens(world.metadata), world.clock.now, seconds=0.001)
    console = world.console(tokens=True)
    app = build(type(console)(**{**console.__dict__, "tokens": table}))

    async def go() -> int:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
                for _ in range(2000):
                    answer = await client.get("/api/products", headers={"Authorization": f"Bearer {text}"})
                    if answer.status_code != 503:
                        break
                    await asyncio.sleep(0.001)
                return answer.status_code

    assert asyncio.run(go()) == 200

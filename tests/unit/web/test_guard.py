"""Who is let in on the data plane, and what the others are told."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import NotReady
from seatrial.facts.token import Quota, Token
from seatrial.settings import read_settings
from seatrial.web.scoring.call import Call
from seatrial.web.scoring.guard import HEALTH, OpenGuard, TokenGuard
from seatrial.web.scoring.refusals import Refusal
from seatrial.web.server import guard_of
from seatrial.web.token_table import TokenTable
from seatrial.web.tokens import create_token
from tests.fakes.clock import MemoryClock
from tests.fakes.metadata import MemoryMetadata

PREDICT = "/v1/products/hotel/predict"


async def no_body() -> bytes:
    return b""


def call(path: str = PREDICT, method: str = "POST", **headers: str) -> Call:
    return Call(method, path, "", {name.replace("_", "-"): value for name, value in headers.items()}, no_body)


class World:
    """A guard of the hotel over tokens in memory; `seconds` is its timer."""

    def __init__(self, *, workers: int = 1) -> None:
        self.clock = MemoryClock()
        self.metadata = MemoryMetadata(self.clock)
        self.tokens: list[Token] = []
        self.seconds = 0.0
        self.table = TokenTable(lambda: self.tokens, self.clock.now)
        self.guard = TokenGuard(self.table, "hotel", workers=workers, timer=lambda: self.seconds)

    def token(self, *scopes: str, product: str = "", rows: int = 0, name: str = "till") -> str:
        token, text = create_token(
            self.metadata,
            name=name,
            scopes=scopes or ["predict"],
            product=product,
            now=self.clock.now(),
            by="ada",
            expires_at=self.clock.now() + timedelta(days=1),
            quota=Quota(rows=rows, seconds=10.0) if rows else None,
        )
        self.tokens = [*self.tokens, token]
        self.table.refresh()
        return text

    def charged(self, text: str, rows: int) -> dict[str, str]:
        return dict(self.guard.charge(call(authorization=f"Bearer {text}"), rows))


def refused(status: int, check: Any, *given: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        check(*given)
    assert refusal.value.status == status
    return refusal.value


def test_without_tokens_whoever_is_on_this_machine_is_let_in_under_its_names() -> None:
    guard = OpenGuard()
    for host in ("localhost", "127.0.0.1:8400", "[::1]:8400", "LOCALHOST:1"):
        for _ in range(2):
            guard.check(call(host=host), "admin")
    assert guard.charge(call(host="localhost"), 10**6) == ()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8400", "", "[::1"])
def test_without_tokens_another_name_is_refused_every_time(host: str) -> None:
    guard = OpenGuard()
    for _ in range(2):
        assert refused(403, guard.check, call(host=host), "predict").code == "foreign_host"
    refused(403, guard.check, call(), "predict")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:9", ""])
def test_without_tokens_a_page_of_another_site_is_refused(origin: str) -> None:
    guard = OpenGuard()
    guard.check(call(host="localhost:8400", origin="http://localhost:8400"), "predict")
    found = refused(403, guard.check, call(host="localhost:8400", origin=origin), "predict")
    assert found.code == "foreign_origin"


def test_the_names_that_callers_invent_do_not_fill_the_memory() -> None:
    guard = OpenGuard()
    for port in range(1000):
        guard.check(call(host=f"localhost:{port}"), "predict")
    assert len(guard._known) <= 256
    guard.check(call(host="localhost:70000"), "predict")


def test_a_token_for_the_scope_is_let_in_under_any_name_and_from_any_page() -> None:
    world = World()
    text = world.token("predict")
    shown = call(authorization=f"Bearer {text}", host="models.example", origin="http://elsewhere.example")
    world.guard.check(shown, "predict")


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="seatrial"'),
        ({"authorization": ""}, 'Bearer realm="seatrial"'),
        ({"authorization": "Bearer x"}, 'Bearer realm="seatrial", error="invalid_token"'),
        ({"authorization": "Basic dTpw"}, 'Bearer realm="seatrial", error="invalid_token"'),
        (
            {"authorization": f"Bearer seatrial_{'0' * 12}_{'a' * 43}"},
            'Bearer realm="seatrial", error="invalid_token"',
        ),
    ],
)
def test_without_a_token_that_holds_nothing_is_done(headers: dict[str, str], challenge: str) -> None:
    world = World()
    world.token("admin")
    found = refused(401, world.guard.check, call(**headers), "predict")
    assert found.code == "unauthorized"
    assert found.headers == (("www-authenticate", challenge),)
    refused(401, TokenGuard(world.table, "hotel").check, call(**headers), "")


def test_an_expired_token_is_none() -> None:
    world = World()
    text = world.token("predict")
    world.clock.advance(days=2)
    found = refused(401, world.guard.check, call(authorization=f"Bearer {text}"), "predict")
    assert "expired" in str(found)


def test_a_token_of_other_scopes_is_told_which_one_is_needed() -> None:
    world = World()
    text = world.token("predict", "outcomes")
    found = refused(403, world.guard.check, call(authorization=f"Bearer {text}"), "operate")
    assert found.code == "forbidden"
    assert "is for predict and outcomes; expected one for operate" in str(found)
    assert 'error="insufficient_scope", scope="operate"' in dict(found.headers)["www-authenticate"]
    assert text not in str(found)


def test_admin_is_for_everything_and_operate_for_no_prediction() -> None:
    world = World()
    admin, operate = world.token("admin"), world.token("operate", name="duty")
    for scope in ("predict", "outcomes", "operate", "admin"):
        world.guard.check(call(authorization=f"Bearer {admin}"), scope)
    refused(403, world.guard.check, call(authorization=f"Bearer {operate}"), "predict")


def test_a_token_of_another_product_is_refused() -> None:
    world = World()
    mine, other = world.token("admin", product="hotel"), world.token("admin", product="harbour", name="quay")
    world.guard.check(call(authorization=f"Bearer {mine}"), "predict")
    found = refused(403, world.guard.check, call(authorization=f"Bearer {other}"), "predict")
    assert "for product harbour; expected one for hotel" in str(found)


@pytest.mark.parametrize("path", sorted(HEALTH))
def test_health_is_told_to_everyone(path: str) -> None:
    world = World()
    world.guard.check(call(path, "GET"), "predict")
    world.token("predict", product="harbour")
    world.guard.check(call(path, "GET", authorization="Bearer x"), "predict")


@pytest.mark.parametrize(
    "path", ["/livez/", "//livez", "/readyz/../metrics", "/v2/health", "/v2/health/live/x", "/metrics"]
)
def test_what_only_looks_like_health_needs_a_token(path: str) -> None:
    world = World()
    world.token("predict")
    refused(401, world.guard.check, call(path, "GET"), "operate")


def test_before_the_tokens_were_read_a_caller_may_try_again() -> None:
    with pytest.raises(NotReady):
        World().guard.check(call(authorization=f"Bearer seatrial_{'0' * 12}_{'a' * 43}"), "predict")


def test_a_quota_is_used_up_row_by_row_and_tells_what_is_left() -> None:
    world = World()
    text = world.token(rows=100)
    assert world.charged(text, 60) == {
        "ratelimit-policy": '"rows";q=100;w=10',
        "ratelimit": '"rows";r=40;t=6',
    }
    found = refused(429, world.charged, text, 60)
    assert found.code == "quota_exceeded"
    assert dict(found.headers) == {
        "retry-after": "2",
        "cache-control": "no-store",
        "ratelimit-policy": '"rows";q=100;w=10',
        "ratelimit": '"rows";r=40;t=6',
    }
    assert text not in str(found)
    world.seconds = 2.0
    world.charged(text, 60)


def test_a_request_without_rows_counts_as_one() -> None:
    world = World()
    text = world.token(rows=2)
    world.charged(text, 0)
    world.charged(text, 0)
    refused(429, world.charged, text, 0)


def test_quotas_are_apart_and_tokens_without_one_are_free() -> None:
    world = World()
    first, second, free = world.token(rows=5), world.token(rows=5, name="b"), world.token(name="c")
    world.charged(first, 5)
    refused(429, world.charged, first, 1)
    world.charged(second, 5)
    assert world.charged(free, 10**6) == {}


def test_a_quota_outlives_other_tokens_coming_and_going() -> None:
    world = World()
    text = world.token(rows=5)
    world.charged(text, 5)
    world.token(name="b")
    refused(429, world.charged, text, 1)
    world.tokens = world.tokens[1:]
    world.table.refresh()
    refused(401, world.guard.check, call(authorization=f"Bearer {text}"), "predict")


def test_workers_share_a_quota() -> None:
    world = World(workers=4)
    text = world.token(rows=100)
    world.charged(text, 25)
    assert dict(refused(429, world.charged, text, 25).headers)["retry-after"] == "10"


@pytest.mark.parametrize("asked", ["auto", "required"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.1.2.3"])  # noqa: S104
def test_settings_choose_the_guard(host: str, asked: str, tmp_path: Path) -> None:
    arguments = {"host": host, "authentication": asked, "workspace": str(tmp_path / "ws")}
    guard = guard_of(read_settings(arguments, {}), "hotel")
    opened = asked == "auto" and host in ("127.0.0.1", "::1", "localhost")
    assert type(guard) is (OpenGuard if opened else TokenGuard)
    assert (tmp_path / "ws").exists() is not opened

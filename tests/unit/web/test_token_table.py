"""The tokens that a server's process holds: fresh within seconds, and kept while the store is away."""

import asyncio
import logging
from datetime import timedelta

import msgspec
import pytest

from seatrial.errors import Conflict, NotReady, Unauthorized
from seatrial.facts.token import Token
from seatrial.web.token_table import TokenTable
from seatrial.web.tokens import all_tokens, create_token, revoke_token
from tests.fakes.clock import MemoryClock
from tests.fakes.metadata import MemoryMetadata


class World:
    """A store with one token, a table over it, and a clock."""

    def __init__(self, *, days: int | None = None) -> None:
        self.clock = MemoryClock()
        self.metadata = MemoryMetadata(self.clock)
        self.away = False
        self.read = 0
        now = self.clock.now()
        self.token, self.text = create_token(
            self.metadata,
            name="till",
            scopes=["predict"],
            product="",
            now=now,
            by="ada",
            expires_at=None if days is None else now + timedelta(days=days),
        )
        self.table = TokenTable(self._tokens, self.clock.now, seconds=0.001)

    def _tokens(self) -> list[Token]:
        self.read += 1
        if self.away:
            raise Conflict("the store is away")
        return all_tokens(self.metadata)

    @property
    def header(self) -> str:
        return f"Bearer {self.text}"

    def revoke(self) -> None:
        revoke_token(self.metadata, "till", now=self.clock.now(), by="ada", why="lost")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
def test_a_token_is_read_from_its_header(scheme: str) -> None:
    world = World()
    world.table.refresh()
    assert world.table.holder(f"{scheme}{world.text}") == world.token


@pytest.mark.parametrize(
    "header", [None, "", "Basic dTpw", "Bearer", "Bearer x", "Bearer seatrial_", "{}", "Bearer {} x"]
)
def test_whatever_is_no_token_is_told_what_is_expected(header: str | None) -> None:
    world = World()
    world.table.refresh()
    given = header.format(world.text) if header else header
    with pytest.raises(Unauthorized, match="authorization: Bearer <token>") as refusal:
        world.table.holder(given)
    assert world.text not in str(refusal.value)


def test_a_token_that_was_revoked_ends_with_the_next_refresh() -> None:
    world = World()
    world.table.refresh()
    world.revoke()
    assert world.table.holder(world.header).name == "till"
    world.table.refresh()
    with pytest.raises(Unauthorized, match="token till was revoked"):
        world.table.holder(world.header)


def test_a_token_expires_without_a_refresh() -> None:
    world = World(days=1)
    world.table.refresh()
    world.table.holder(world.header)
    world.clock.advance(days=1)
    with pytest.raises(Unauthorized, match="token till expired on"):
        world.table.holder(world.header)
    assert world.table.still(world.token.id) is None


def test_who_has_not_the_secret_learns_nothing_of_a_token() -> None:
    world = World()
    world.revoke()
    world.table.refresh()
    other = world.text[:-1] + ("a" if world.text[-1] != "a" else "b")
    with pytest.raises(Unauthorized, match="this token is not known here"):
        world.table.holder(f"Bearer {other}")


def test_before_the_first_reading_nobody_is_called_unknown() -> None:
    with pytest.raises(NotReady, match="could not be read yet"):
        World().table.holder(World().header)


def test_while_the_store_is_away_the_last_known_tokens_hold() -> None:
    world = World()
    world.table.refresh()
    world.away = True
    with pytest.raises(Conflict):
        world.table.refresh()
    assert world.table.holder(world.header).name == "till"


def test_the_tokens_are_another_object_only_when_they_changed() -> None:
    world = World()
    world.table.refresh()
    before = world.table.tokens
    world.table.refresh()
    assert world.table.tokens is before
    world.revoke()
    world.table.refresh()
    assert world.table.tokens is not before


def test_the_table_keeps_itself_fresh_and_outlives_a_store_that_is_away_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.away = True

    async def go() -> None:
        chore = asyncio.create_task(world.table.keep_fresh())
        await _until(lambda: world.read >= 2)
        world.away = False
        await _until(lambda: _known(world))
        world.revoke()
        await _until(lambda: world.table.still(world.token.id) is None)
        chore.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(go())
    assert "those of before still hold" in caplog.text
    assert world.text.split("_")[2] not in caplog.text


def _known(world: World) -> bool:
    try:
        return bool(world.table.tokens)
    except NotReady:
        return False


async def _until(holds: object) -> None:
    assert callable(holds)
    for _ in range(5000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come true")


def test_a_token_shows_no_secret_of_its_own() -> None:
    world = World()
    world.table.refresh()
    assert world.text.split("_")[2] not in repr(world.table.__dict__) + str(msgspec.json.encode(world.token))

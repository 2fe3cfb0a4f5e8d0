"""Tokens in the metadata store: made once, found by id or name, revoked for good, and never told again."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seatrial.errors import Conflict, DataRefused, NotFound, SettingsInvalid
from seatrial.facts.logbook import chain_faults
from seatrial.facts.token import TOKEN, Quota, Scope, Token, digest_of, masked, masked_bytes
from seatrial.web.tokens import all_tokens, check_any_holds, create_token, revoke_token
from tests.fakes.clock import MemoryClock
from tests.fakes.metadata import MemoryMetadata

NOW = MemoryClock().now()
LATER = NOW + timedelta(days=1)


def made(metadata: MemoryMetadata, name: str = "till", **more: Any) -> tuple[Token, str]:
    given: dict[str, Any] = {
        "name": name,
        "scopes": ["predict"],
        "product": "",
        "now": NOW,
        "by": "ada",
        **more,
    }
    return create_token(metadata, **given)


def test_a_token_is_its_own_id_and_a_secret_of_256_bits_that_is_stored_nowhere() -> None:
    metadata = MemoryMetadata()
    token, text = made(metadata, why="the new tills")
    assert TOKEN.fullmatch(text)
    assert text.split("_")[1] == token.id
    assert 62 ** len(text.split("_")[2]) >= 2**256
    secret = text.split("_")[2]
    stored = "".join(metadata.state.records.values()) + repr(metadata.state.logbook) + repr(token)
    assert secret not in stored
    assert token.digest == digest_of(text)


def test_no_two_tokens_are_alike() -> None:
    metadata = MemoryMetadata()
    texts = {made(metadata, f"till {number}")[1] for number in range(20)}
    assert len(texts) == 20
    assert len({text.split("_")[1] for text in texts}) == 20


def test_making_and_revoking_stand_in_the_logbook_with_who_and_why_and_without_the_digest() -> None:
    metadata = MemoryMetadata()
    quota = Quota(rows=100, seconds=1.0)
    token, _ = made(
        metadata,
        product="hotel",
        scopes=["outcomes", "predict"],
        expires_at=LATER,
        quota=quota,
        why="new tills",
    )
    revoke_token(metadata, token.id, now=LATER, by="bob", why="a till was stolen")
    created, revoked = metadata.state.logbook
    assert (created.kind, created.product, created.subject, created.actor) == (
        "token created",
        "",
        token.id,
        "ada",
    )
    assert created.body == {
        "name": "till",
        "product": "hotel",
        "scopes": ["predict", "outcomes"],
        "why": "new tills",
        "expires_at": msgspec.to_builtins(LATER),
        "quota": {"rows": 100, "seconds": 1.0},
    }
    assert (revoked.kind, revoked.subject, revoked.actor) == ("token revoked", token.id, "bob")
    assert revoked.body == {"name": "till", "why": "a till was stolen"}
    assert token.digest not in repr(metadata.state.logbook)
    assert chain_faults(metadata.state.logbook) == []


def test_a_name_is_free_again_when_its_token_no_longer_holds() -> None:
    metadata = MemoryMetadata()
    first, _ = made(metadata)
    with pytest.raises(Conflict, match=first.id):
        made(metadata)
    revoke_token(metadata, "till", now=NOW, by="ada", why="lost")
    made(metadata, expires_at=LATER)
    made(metadata, now=LATER)
    assert len(all_tokens(metadata)) == 3


def test_revoking_twice_changes_nothing_and_a_token_is_found_by_id_or_by_the_name_under_which_it_holds() -> (
    None
):
    metadata = MemoryMetadata()
    old, _ = made(metadata)
    ended = revoke_token(metadata, "till", now=NOW, by="ada", why="lost")
    assert revoke_token(metadata, old.id, now=LATER, by="bob", why="again") == ended
    assert len(metadata.state.logbook) == 2
    fresh, _ = made(metadata)
    assert revoke_token(metadata, "till", now=LATER, by="ada", why="lost too").id == fresh.id
    with pytest.raises(NotFound, match="those that hold: none"):
        revoke_token(metadata, "till", now=LATER, by="ada", why="a third time")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "token name ''"),
        ({"name": " till"}, "token name ' till'"),
        ({"name": "till\nroot"}, "expected a letter or digit"),
        ({"name": "t" * 65}, "up to 63"),
        ({"product": "Hotel\n"}, "expected a product's name"),
        ({"scopes": []}, "at least one scope"),
        ({"expires_at": NOW}, "expiry after"),
    ],
)
def test_what_cannot_be_a_token_is_refused_and_not_stored(changes: dict[str, Any], said: str) -> None:
    metadata = MemoryMetadata()
    with pytest.raises(DataRefused, match=said):
        made(metadata, **changes)
    assert not metadata.state.records
    assert not metadata.state.logbook


def test_servers_that_need_tokens_start_only_when_one_for_their_product_holds() -> None:
    metadata = MemoryMetadata()
    with pytest.raises(SettingsInvalid, match=r"host: 10\.0\.0\.1.*seatrial token create") as refusal:
        check_any_holds(metadata, "hotel", NOW, asked_by="host: 10.0.0.1")
    assert len(refusal.value.problems) == 1
    made(metadata, product="harbour")
    made(metadata, "short", expires_at=LATER)
    check_any_holds(metadata, "hotel", NOW, asked_by="x")
    check_any_holds(metadata, "harbour", LATER, asked_by="x")
    with pytest.raises(SettingsInvalid):
        check_any_holds(metadata, "hotel", LATER, asked_by="x")


def test_a_text_is_shown_with_its_tokens_cut_down_to_their_ids() -> None:
    _, text = made(MemoryMetadata())
    shown = masked(f"/v1/{text}?a={text}&b=seatrial_x")
    assert text.split("_")[2] not in shown
    assert shown.count(f"seatrial_{text.split('_')[1]}_***") == 2
    assert shown.endswith("&b=seatrial_x")
    assert masked_bytes(f"é{text}".encode()).decode() == masked(f"é{text}")
    assert masked_bytes(b"\xff") == b"\xff"


def test_what_scans_texts_for_secrets_can_use_the_documented_pattern() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
    [pattern] = re.findall(r"`(seatrial_\[[^`]*)`", page)
    _, text = made(MemoryMetadata())
    assert re.fullmatch(pattern, text)


def test_the_scopes_are_listed_once_each_in_their_order() -> None:
    token, _ = made(MemoryMetadata(), scopes=["operate", "predict", "operate"])
    assert token.scopes == (Scope.PREDICT, Scope.OPERATE)

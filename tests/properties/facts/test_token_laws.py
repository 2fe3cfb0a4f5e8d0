"""What holds for every token: nothing but its own text is it, and scopes only ever add."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import Unauthorized
from seatrial.facts.token import Quota, Scope, Token, digest_of, id_of, masked, ordered, quota_of
from seatrial.web.token_table import TokenTable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "aZ09" * 10 + "xyz"
TEXT = f"seatrial_0123456789ab_{SECRET}"
ANYTHING = st.text(st.characters(codec="latin-1"), max_size=90)
SCOPES = st.lists(st.sampled_from(list(Scope)), min_size=1)


def token(text: str = TEXT, *scopes: Scope, product: str = "") -> Token:
    id = id_of(text)
    assert id is not None
    return Token(
        id=id,
        product=product,
        name="till",
        scopes=ordered(scopes or (Scope.PREDICT,)),
        digest=digest_of(text),
        created_at=NOW,
        created_by="ada",
    )


def table() -> TokenTable:
    made = TokenTable(lambda: [token()], lambda: NOW)
    made.refresh()
    return made


TABLE = table()


@given(place=st.integers(0, len(TEXT) - 1), put=st.characters(codec="latin-1"))
def test_a_token_with_one_character_changed_is_refused(place: int, put: str) -> None:
    changed = TEXT[:place] + put + TEXT[place + 1 :]
    if changed == TEXT:
        assert TABLE.holder(f"Bearer {changed}").name == "till"
        return
    with pytest.raises(Unauthorized) as refusal:
        TABLE.holder(f"Bearer {changed}")
    assert SECRET not in str(refusal.value)


@given(cut=st.integers(0, len(TEXT) - 1), added=ANYTHING.filter(bool))
def test_a_token_that_is_cut_or_longer_is_refused(cut: int, added: str) -> None:
    for changed in (TEXT[:cut], TEXT[cut + 1 :], TEXT[:cut] + TEXT[cut + 1 :]):
        with pytest.raises(Unauthorized):
            TABLE.holder(f"Bearer {changed}")
    if added.strip(" "):
        with pytest.raises(Unauthorized):
            TABLE.holder(f"Bearer {TEXT}{added}")


@given(ANYTHING)
def test_no_other_header_is_a_token(header: str) -> None:
    with pytest.raises(Unauthorized):
        TABLE.holder(header)


@given(SCOPES, SCOPES)
def test_more_scopes_never_allow_less_and_admin_allows_all(some: list[Scope], more: list[Scope]) -> None:
    few, many = token(TEXT, *some), token(TEXT, *some, *more)
    allowed = {scope for scope in Scope if few.allows(scope)}
    assert allowed <= {scope for scope in Scope if many.allows(scope)}
    assert allowed == (set(Scope) if Scope.ADMIN in some else set(some))


@given(st.text(max_size=20).filter(lambda text: text not in set(Scope)))
def test_what_is_no_scope_is_allowed_to_nobody_but_admin(other: str) -> None:
    assert not token(TEXT, Scope.PREDICT, Scope.OUTCOMES, Scope.OPERATE).allows(other)


@given(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=10))
def test_a_token_of_one_product_covers_no_other(product: str, other: str) -> None:
    assert token(product=product).covers(other) is (product == other)
    assert token().covers(other)


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_a_token_holds_before_its_expiry_and_never_after_it_was_revoked(end: int, at: int) -> None:
    import msgspec

    expires = msgspec.structs.replace(token(), expires_at=NOW + timedelta(days=end))
    assert expires.holds(NOW + timedelta(days=at)) is (at < end)
    assert not msgspec.structs.replace(expires, revoked_at=NOW).holds(NOW + timedelta(days=at))


@given(ANYTHING, ANYTHING)
def test_no_secret_is_left_in_a_masked_text(before: str, after: str) -> None:
    assert SECRET not in masked(before + TEXT + after)


@given(st.integers(1, 10**9), st.sampled_from(["second", "minute", "hour", "day"]), st.booleans())
def test_a_quota_reads_back_as_it_is_written(rows: int, per: str, named: bool) -> None:
    seconds = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}[per]
    assert quota_of(f"{rows}{' rows' * named} per {per}") == Quota(rows=rows, seconds=seconds)


@given(st.text(max_size=20))
def test_what_is_no_quota_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a quota"):
        quota_of(text)

"""Tokens as they are made, found and revoked in the metadata store."""

import re
import secrets
import string
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from seatrial.errors import Conflict, DataRefused, NotFound, SettingsInvalid
from seatrial.facts.token import EVERY_PRODUCT, PREFIX, Quota, Token, digest_of, ordered
from seatrial.ports.metadata import Metadata, Transaction

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")
_ALPHABET = string.ascii_letters + string.digits
# 43 of 62 letters and digits are 256 bits.
_SECRET_LENGTH = 43


def create_token(
    metadata: Metadata,
    *,
    name: str,
    scopes: Iterable[str],
    product: str,
    now: datetime,
    by: str,
    why: str = "",
    expires_at: datetime | None = None,
    quota: Quota | None = None,
) -> tuple[Token, str]:
    """A new token as stored, and its text, which cannot be had again. The logbook tells of it.

    Raises DataRefused for a name, product or scopes that will not do, Conflict while another token of that name holds.
    """
    # Half a second of imports, which servers, listing and revoking need not pay.
    from seatrial.product.schema import NAME_PATTERN

    if not NAME.fullmatch(name):
        raise DataRefused(
            f"token name {name!r}: expected a letter or digit, then up to 63 letters, digits, spaces or . _ @ -"
        )
    if product != EVERY_PRODUCT and not re.fullmatch(NAME_PATTERN, product):
        raise DataRefused(f"token {name}: expected a product's name in small letters, got {product!r}")
    if not (asked := ordered(scopes)):
        raise DataRefused(f"token {name}: expected at least one scope, got none")
    if expires_at is not None and expires_at <= now:
        raise DataRefused(
            f"token {name}: expected an expiry after {now:%Y-%m-%d %H:%M} UTC, got {expires_at}"
        )
    text = _new_text()
    token = Token(
        id=text.split("_")[1],
        product=product,
        name=name,
        scopes=asked,
        digest=digest_of(text),
        created_at=now,
        created_by=by,
        why=why,
        expires_at=expires_at,
        quota=quota,
    )
    with metadata.begin() as transaction:
        _store_new(transaction, token)
    return token, text


def revoke_token(metadata: Metadata, which: str, *, now: datetime, by: str, why: str) -> Token:
    """The token with this id, or the one that holds under this name, revoked from now on; the logbook tells of it.

    One that was revoked before stays as it is. Raises NotFound when there is none.
    """
    with metadata.begin() as transaction:
        found = _found(transaction, which, now)
        if found.revoked_at is not None:
            return found
        revoked = msgspec.structs.replace(found, revoked_at=now, revoked_by=by)
        transaction.put(revoked)
        body = {"name": found.name, "why": why}
        _log(transaction, "token revoked", found, body, by)
        return revoked


def all_tokens(metadata: Metadata) -> list[Token]:
    """Every token of the workspace, also those that do not hold any more."""
    with metadata.begin() as transaction:
        return transaction.all(Token)


def check_any_holds(metadata: Metadata, product: str, now: datetime, *, asked_by: str) -> None:
    """Return if a token for the product holds. Raises SettingsInvalid, with what to do, naming who `asked_by`."""
    if any(token.holds(now) and token.covers(product) for token in all_tokens(metadata)):
        return
    problem = (
        f"{asked_by}: callers must show a token, and no token for {product} holds in this workspace; "
        "make one with `seatrial token create --name <name> --scope predict --scope outcomes`, "
        "and one with `--scope operate` for the console"
    )
    raise SettingsInvalid([problem])


def _new_text() -> str:
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return f"{PREFIX}{secrets.token_hex(6)}_{secret}"


def _store_new(transaction: Transaction, token: Token) -> None:
    same = [one for one in transaction.all(Token) if one.name == token.name and one.holds(token.created_at)]
    if same:
        raise Conflict(
            f"token {token.name} is there already, with id {same[0].id}; "
            "choose another name, or revoke it first with `seatrial token revoke`"
        )
    transaction.put(token)
    body = msgspec.to_builtins(token)
    for left_out in ("id", "digest", "revoked_at", "revoked_by", "created_at", "created_by"):
        del body[left_out]
    _log(transaction, "token created", token, body, token.created_by)


def _log(transaction: Transaction, kind: str, token: Token, body: dict[str, Any], actor: str) -> None:
    # The workspace's matter, also for a token of one product: nobody has heard of a product because of a token.
    transaction.log(product=EVERY_PRODUCT, kind=kind, subject=token.id, body=body, actor=actor)


def _found(transaction: Transaction, which: str, now: datetime) -> Token:
    tokens = transaction.all(Token)
    found = next((token for token in tokens if token.id == which), None)
    found = found or next((token for token in tokens if token.name == which and token.holds(now)), None)
    if found is None:
        names = ", ".join(token.name for token in tokens if token.holds(now)) or "none"
        raise NotFound(
            f"no token with this id, and none that holds under this name; those that hold: {names}"
        )
    return found

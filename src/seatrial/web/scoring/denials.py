"""What a caller is told whose token does not do (RFC 6750), or does not do any more (RFC 6585)."""

import math

from seatrial.facts.token import Quota, Token
from seatrial.web.scoring.quotas import Fields
from seatrial.web.scoring.refusals import Refusal

_CHALLENGE = 'Bearer realm="seatrial"'


def unauthorized(reason: str, *, shown: bool) -> Refusal:
    """401; `shown` says whether the caller showed anything."""
    challenge = f'{_CHALLENGE}, error="invalid_token"' if shown else _CHALLENGE
    return Refusal(401, "unauthorized", reason, headers=[("www-authenticate", challenge)])


def beyond_scope(token: Token, scope: str) -> Refusal:
    """403 for a token of other scopes."""
    challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
    sentence = f"token {token.name} is for {' and '.join(token.scopes)}; expected one for {scope}"
    return Refusal(403, "forbidden", sentence, headers=[("www-authenticate", challenge)])


def foreign_product(token: Token, product: str) -> Refusal:
    """403 for a token of another product."""
    sentence = f"token {token.name} is for product {token.product}; expected one for {product}"
    return Refusal(403, "forbidden", sentence)


def beyond_quota(token: Token, quota: Quota, seconds: float, fields: Fields) -> Refusal:
    """429 with the whole seconds after which the same request would be let in."""
    return Refusal(
        429,
        "quota_exceeded",
        f"token {token.name} may ask for {quota.rows} rows in {quota.seconds:g} s; try again later",
        headers=[("retry-after", str(max(1, math.ceil(seconds)))), ("cache-control", "no-store"), *fields],
    )

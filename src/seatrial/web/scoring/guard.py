"""Who may do what on the data plane: everyone on this machine, or whoever shows a token."""

import time
from collections.abc import Callable, Mapping, Sequence

from seatrial.errors import Unauthorized
from seatrial.facts.token import Token
from seatrial.web.hosts import LOOPBACK, host_of, is_same_host
from seatrial.web.scoring.call import Call
from seatrial.web.scoring.denials import beyond_quota, beyond_scope, foreign_product, unauthorized
from seatrial.web.scoring.quotas import Fields, Quotas, fields
from seatrial.web.scoring.refusals import foreign_host, foreign_origin
from seatrial.web.token_table import TokenTable

# Whoever looks whether a server lives, or is ready, needs no token: orchestrators have none.
HEALTH = frozenset(
    {"/livez", "/readyz", "/healthz", "/ping", "/health", "/v2/health/live", "/v2/health/ready"}
)
_HOSTS_REMEMBERED = 256
_NO_FIELDS: Fields = ()


class OpenGuard:
    """Lets in whoever is on this machine.

    No page of another site may make a browser act here, by whatever name it calls us.
    """

    def __init__(self, hosts: Sequence[str] = LOOPBACK) -> None:
        """Requests for other `hosts` are refused."""
        self._hosts = frozenset(hosts)
        self._known: set[str] = set()

    def check(self, call: Call, scope: str) -> None:
        """Return for a request under an own name that comes from no foreign page; else Refusal 403."""
        del scope
        headers = call.headers
        host = headers.get("host") or ""
        if host not in self._known:
            self._check_host(host)
        origin = headers.get("origin")
        if origin is not None and not is_same_host(origin, host):
            raise foreign_origin(origin, host)

    def charge(self, call: Call, rows: int) -> Fields:
        """No fields: without tokens there are no quotas."""
        del call, rows
        return _NO_FIELDS

    async def run(self) -> None:
        """Return at once: nothing here grows old."""

    def _check_host(self, host: str) -> None:
        if host_of(host) not in self._hosts:
            raise foreign_host(host, sorted(self._hosts))
        # Callers choose the port in it: they must not be able to fill the memory.
        if len(self._known) < _HOSTS_REMEMBERED:
            self._known.add(host)


class TokenGuard:
    """Lets in whoever shows a token for this product and the scope, as often as its quota allows.

    A browser sends no token by itself, so neither names nor pages matter here.
    """

    def __init__(
        self,
        table: TokenTable,
        product: str,
        *,
        workers: int = 1,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`workers` processes share each quota; `timer` is a steady clock in seconds."""
        self._table, self._product, self._timer = table, product, timer
        self._quotas = Quotas(workers)
        self._seen: Mapping[str, Token] | None = None
        self._any_quota = False

    def check(self, call: Call, scope: str) -> None:
        """Return if the call's token is for the scope and this product, or the call asks for health.

        Raises Refusal 401 or 403; NotReady before the tokens were read at all.
        """
        if call.path in HEALTH:
            return
        token = self._holder(call)
        if not token.covers(self._product):
            raise foreign_product(token, self._product)
        if not token.allows(scope):
            raise beyond_scope(token, scope)

    def charge(self, call: Call, rows: int) -> Fields:
        """The header fields that tell what is left of the quota, after `rows` (at least one) were taken from it.

        Empty for a token without one. Raises Refusal 429 when it is used up, and 401 as `check`.
        """
        if not self._limited() or (quota := (token := self._holder(call)).quota) is None:
            return _NO_FIELDS
        now = self._timer()
        bucket = self._quotas.bucket(token, quota, now)
        wait = bucket.take(max(1, rows), now)
        if wait:
            raise beyond_quota(token, quota, wait, fields(quota, bucket))
        return fields(quota, bucket)

    async def run(self) -> None:
        """Keep the tokens fresh until cancelled."""
        await self._table.keep_fresh()

    def _holder(self, call: Call) -> Token:
        shown = call.headers.get("authorization")
        try:
            return self._table.holder(shown)
        except Unauthorized as error:
            raise unauthorized(str(error), shown=bool(shown)) from error

    def _limited(self) -> bool:
        """Whether any token has a quota; looked up anew when the tokens changed."""
        tokens = self._table.tokens
        if tokens is not self._seen:
            self._quotas.keep(tokens)
            self._any_quota = any(token.quota for token in tokens.values())
            self._seen = tokens
        return self._any_quota

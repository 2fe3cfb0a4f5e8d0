"""Where a client sends to, and as whom."""

import os
from urllib.parse import urlsplit

import msgspec

from seatrial.errors import SettingsInvalid

TOKEN = "SEATRIAL_TOKEN"  # noqa: S105 - the name of the variable, no token


class Address(msgspec.Struct, frozen=True):
    """A server's URL, a product there (None: its only one), and the token, which no text of this shows."""

    url: str
    product: str | None
    token: str | None

    def __repr__(self) -> str:
        product = "" if self.product is None else f", product={self.product!r}"
        return f"{self.url!r}{product}"

    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {} if self.token is None else {"authorization": f"Bearer {self.token}"}


def address(url: str, product: str | None, token: str | None) -> Address:
    """The address, with the token of SEATRIAL_TOKEN where none is given. Raises SettingsInvalid, naming no secret."""
    found = token if token is not None else os.environ.get(TOKEN) or None
    problems = [*_url_problems(url), *_token_problems(found)]
    if problems:
        raise SettingsInvalid(problems, name="client")
    return Address(url.rstrip("/"), product, found)


def _url_problems(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ["url: expected one like http://127.0.0.1:8400, got what is no URL"]
    if "@" in parts.netloc:
        return ["url: expected no user or password in it; give a token instead"]
    if not whole or parts.query or parts.fragment:
        return [f"url: expected one like http://127.0.0.1:8400, got {url!r}"]
    return []


def _token_problems(token: str | None) -> list[str]:
    if token is None or (token and all("!" <= letter <= "~" for letter in token)):
        return []
    return ["token: expected visible ASCII letters only, without spaces, got something else (not shown)"]

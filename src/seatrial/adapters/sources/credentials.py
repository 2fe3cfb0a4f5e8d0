"""Credentials by reference: what a product file says instead of a secret, and texts with the secrets taken out."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, urlsplit

from seatrial.errors import SourceFailed

_HIDDEN = "***"
_SHORTEST = 4


@dataclass
class Credentials:
    """Resolves the references of one source, and remembers what must never be shown.

    `env:NAME` is the value of an environment variable, `file:PATH` what a file holds, without the white space
    around it; any other text stands for itself.
    """

    name: str
    folder: Path | None
    secrets: set[str] = field(default_factory=set)

    def resolve(self, text: str) -> str:
        """What a text refers to. Raises SourceFailed, which names the variable or file alone."""
        kind, _, place = text.partition(":")
        if kind == "env":
            return self._secret(self._variable(place))
        if kind == "file" and not place.startswith("//"):
            return self._secret(self._content(place))
        return text

    def options(self, options: dict[str, str]) -> dict[str, str]:
        """Options with their references resolved; all values are hidden, for any may be a key."""
        return {key: self._secret(self.resolve(value)) for key, value in options.items()}

    def hide(self, secret: str) -> None:
        """Keep a secret out of every text."""
        self._secret(secret)

    def hide_url(self, url: str) -> None:
        """Keep the password and query of a URL out of every text."""
        parts = urlsplit(url)
        for secret in (parts.password, parts.query):
            if secret:
                self._secret(unquote(secret))
                self._secret(secret)

    def scrubbed(self, text: str) -> str:
        """The text without any of the secrets, in whatever way they are written in URLs."""
        spelled = {way(one) for one in self.secrets for way in (str, quote, quote_plus, unquote)}
        for secret in sorted(spelled, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    def _secret(self, value: str) -> str:
        # Shorter ones would blot out parts of ordinary words; they protect nothing either.
        if len(value) >= _SHORTEST:
            self.secrets.add(value)
        return value

    def _variable(self, name: str) -> str:
        if name not in os.environ:
            raise SourceFailed(
                f"source {self.name}: the environment variable {name} is not set; set it where Seatrial runs"
            )
        return os.environ[name]

    def _content(self, place: str) -> str:
        path = (self.folder or Path()) / place
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = type(error).__name__
            raise SourceFailed(
                f"source {self.name}: the credential file {place} cannot be read: {reason}"
            ) from error

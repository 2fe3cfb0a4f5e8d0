"""Files behind http and https URLs."""

from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import httpx

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.found import Found
from seatrial.adapters.sources.retry import connection_failed

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_BUSY = frozenset({408, 425, 429})


def find_http(asked: Asked, url: str) -> Found:
    """The file behind a URL; the source's options are sent as headers. Raises SourceFailed when it is not there.

    Its stamp is its ETag or the time of its last change; of a server that tells neither, it is the digest of the
    content, which is then read to find out whether it is new.
    """
    asked.credentials.hide_url(url)
    headers = asked.credentials.options(asked.source.options)

    def fetch(folder: Path) -> Path:
        local = folder / (Path(urlsplit(url).path).name or "file")
        with httpx.stream("GET", url, headers=headers, timeout=_TIMEOUT, follow_redirects=True) as answer:
            answer.raise_for_status()
            with local.open("wb") as opened:
                for part in answer.iter_bytes():
                    opened.write(part)
        return local

    shown = _shown(url)
    with asked.telling(f"cannot read {shown}"):
        stamp = asked.retries.call(lambda: _stamp(url, headers), http_may_pass)
        return Found(shown, stamp or _content_stamp(asked, fetch), fetch)


def _stamp(url: str, headers: dict[str, str]) -> str | None:
    answer = httpx.head(url, headers=headers, timeout=_TIMEOUT, follow_redirects=True)
    if answer.status_code in {405, 501}:
        return None
    answer.raise_for_status()
    changed = answer.headers.get("last-modified")
    dated = f"{answer.headers.get('content-length', '')}:{changed}" if changed else None
    return answer.headers.get("etag") or dated


def _content_stamp(asked: Asked, fetch: Callable[[Path], Path]) -> str:
    with TemporaryDirectory(prefix="seatrial-") as folder:
        local = asked.retries.call(lambda: fetch(Path(folder)), http_may_pass)
        with local.open("rb") as opened:
            return f"sha256:{file_digest(opened, 'sha256').hexdigest()}"


def http_may_pass(error: Exception) -> bool:
    """Whether an error is one that may pass: no answer, or an answer of being busy or broken."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _BUSY or error.response.is_server_error
    return isinstance(error, httpx.TransportError) or connection_failed(error)


def _shown(url: str) -> str:
    """The URL without what may be secret: who asks, and the query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

"""Which names reach these servers, and which pages may speak to them: without tokens, a browser is let in by these.

A page of any site can make a browser send requests to loopback. Such a request names the site's page in `Origin`;
and if the site lets its own name point to this machine, it names the site in `Host`.
"""

from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def own_hosts(bound: str) -> tuple[str, ...]:
    """The hosts that a `Host` header may name, for a server that is bound to `bound`; IPv6 stands in brackets."""
    shown = f"[{bound}]" if ":" in bound else bound
    return tuple(dict.fromkeys((shown.lower(), *LOOPBACK)))


def host_of(header: str) -> str:
    """The host of a `Host` header, in small letters and without its port; empty for an empty header."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.partition(":")[0]


def is_same_host(origin: str, host: str) -> bool:
    """Whether a page from `origin` is a page of `host`, both with their ports."""
    try:
        named = urlsplit(origin).netloc.lower()
    except ValueError:  # no URL at all, such as http://[
        return False
    return bool(host) and named == host.strip().lower()

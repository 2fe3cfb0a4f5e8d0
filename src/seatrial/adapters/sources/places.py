"""Where files lie: found by path, glob or URL, with a stamp that changes when they do."""

import shutil
from contextlib import suppress
from glob import glob, has_magic
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from seatrial.adapters.sources.asked import Asked
from seatrial.adapters.sources.found import Found
from seatrial.adapters.sources.http_files import find_http, http_may_pass
from seatrial.errors import MissingExtra

_CLIENT_OPTIONS = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_url", "timeout", "user_agent"}
)


def find_files(asked: Asked) -> list[Found]:
    """The files at a source's `path`, in the order of their names. Raises SourceFailed when there is none."""
    path = str(asked.source.path)
    scheme = urlsplit(path).scheme if "://" in path else ""
    if scheme in {"", "file"}:
        found = _local(asked, path.removeprefix("file://"))
    elif scheme in {"http", "https"}:
        found = [find_http(asked, path)]
    else:
        found = _stored(asked, path, scheme)
    if not found:
        raise asked.failed(f"no file at {path}")
    return sorted(found, key=lambda one: one.place)


def _local(asked: Asked, pattern: str) -> list[Found]:
    place = asked.within(pattern)
    paths = glob(str(place), recursive=True) if has_magic(pattern) else [str(place)]  # noqa: PTH207 - absolute too
    return [_local_file(asked, Path(path)) for path in paths if Path(path).is_file()]


def _local_file(asked: Asked, path: Path) -> Found:
    status = path.stat()
    inside = asked.folder is not None and path.is_relative_to(asked.folder)
    shown = path.relative_to(asked.folder) if inside and asked.folder else path
    return Found(str(shown), f"{status.st_size}:{status.st_mtime_ns}", lambda _: path)


def _stored(asked: Asked, url: str, scheme: str) -> list[Found]:
    files, path = _filesystem(asked, scheme), url.partition("://")[2]

    def listing() -> dict[str, dict[str, Any]]:
        if has_magic(path):
            found: dict[str, dict[str, Any]] = files.glob(path, detail=True)
            return found
        with suppress(FileNotFoundError):
            return {path: files.info(path)}
        return {}

    with asked.telling(f"cannot list {url}"):
        listed = asked.retries.call(listing, may_pass)
    return [
        _stored_file(files, scheme, name, info)
        for name, info in listed.items()
        if info.get("type", "file") == "file"
    ]


def _stored_file(files: Any, scheme: str, name: str, info: dict[str, Any]) -> Found:
    stamp = info.get("e_tag") or f"{info['size']}:{info.get('last_modified') or info.get('created')}"
    place = name if "://" in name else f"{scheme}://{name.lstrip('/')}"

    def fetch(folder: Path) -> Path:
        local = folder / Path(name).name
        with files.open(name, "rb") as remote, local.open("wb") as opened:
            shutil.copyfileobj(remote, opened, 2**20)
        return local

    return Found(place, str(stamp), fetch)


def _filesystem(asked: Asked, scheme: str) -> Any:
    try:
        import fsspec  # type: ignore[import-untyped]  # it has none
        from obstore.fsspec import SUPPORTED_PROTOCOLS, FsspecStore
    except ModuleNotFoundError as error:
        raise MissingExtra("fsspec", "objects") from error
    options = asked.credentials.options(asked.source.options)
    if scheme == "memory":
        return fsspec.filesystem("memory")
    if scheme not in SUPPORTED_PROTOCOLS:
        known = ", ".join(sorted(SUPPORTED_PROTOCOLS))
        raise asked.failed(f"no file system is known by {scheme}://; expected one of {known}")
    client: dict[str, Any] = {key: options.pop(key) for key in sorted(_CLIENT_OPTIONS & options.keys())}
    if any(value.startswith("http://") for value in options.values()):
        client.setdefault("allow_http", True)
    # Retried by the source's own attempts: the store's would wait for minutes before it tells anything.
    patience = {"max_retries": 0}
    return FsspecStore(
        scheme, config=options, client_options=client, retry_config=patience, skip_instance_cache=True
    )  # type: ignore[call-overload]  # the scheme decides which options there are


def may_pass(error: Exception) -> bool:
    """Whether an error is one that may pass: no answer, or an answer of trouble on the other side."""
    from obstore.exceptions import GenericError

    return isinstance(error, GenericError) or http_may_pass(error)

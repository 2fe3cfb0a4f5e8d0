"""Artifacts on an object store: a folder, memory, S3, Google Cloud or Azure, all through one library."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from seatrial.errors import IntegrityBroken, NotFound, StorageFailed

_SCHEME = "sha256:"
_PATH = re.compile(r"sha256/([0-9a-f]{2})/([0-9a-f]{62})")


class StoredArtifacts:
    """Bytes under `sha256/<first two>/<rest>`, written once and verified whenever they are read."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, body: bytes) -> str:
        digest = _digest(body)
        with _told(digest):
            try:
                obstore.put(self._store, _path(digest), body, mode="create", use_multipart=False)
            except AlreadyExistsError:
                self._mend(digest, body)
        return digest

    def get(self, digest: str) -> bytes:
        body = self._read(digest)
        if (found := _digest(body)) != digest:
            raise IntegrityBroken(
                f"artifact {digest}: the stored bytes have the digest {found}; "
                "they were changed or lost; store the artifact again or restore it from a backup"
            )
        return body

    def has(self, digest: str) -> bool:
        with _told(digest):
            try:
                obstore.head(self._store, _path(digest))
            except FileNotFoundError:
                return False
            return True

    def delete(self, digest: str) -> None:
        path = _path(digest)
        # Stores differ in whether removing what is not there is an error.
        with _told(digest), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, path)

    def digests(self) -> Iterator[str]:
        with _told("list"):
            paths = [entry["path"] for page in obstore.list(self._store, "sha256") for entry in page]
        for path in paths:
            # What a writer left that died is no artifact: its name is none of ours.
            if found := _PATH.fullmatch(path):
                yield f"{_SCHEME}{found[1]}{found[2]}"

    def _read(self, digest: str) -> bytes:
        with _told(digest):
            try:
                return obstore.get(self._store, _path(digest)).bytes().to_bytes()
            except FileNotFoundError as error:
                raise NotFound(
                    f"artifact {digest}: expected its bytes in the store, found nothing"
                ) from error

    def _mend(self, digest: str, body: bytes) -> None:
        # A loss of power can leave a truncated file under the right name; we hold the right bytes now.
        if self._read(digest) != body:
            obstore.put(self._store, _path(digest), body, mode="overwrite", use_multipart=False)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Raises StorageFailed for what the store could not do."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageFailed(
            f"artifact {what}: the store failed: {error}; nothing of it counts: see that the disk has room and the "
            "store can be reached, then try again"
        ) from error


def open_artifacts(url: str | Path) -> StoredArtifacts:
    """Artifacts in a folder (a path or `file://…`, made when missing), or at an `s3://`, `gs://`, `az://` URL."""
    parts = urlsplit(str(url))
    if parts.scheme not in {"", "file"}:
        return StoredArtifacts(from_url(str(url)))
    folder = Path(unquote(parts.path) if parts.scheme else url)
    return StoredArtifacts(LocalStore(folder.absolute(), mkdir=True))


def _digest(body: bytes) -> str:
    return _SCHEME + hashlib.sha256(body).hexdigest()


def _path(digest: str) -> str:
    name = digest.removeprefix(_SCHEME)
    if not digest.startswith(_SCHEME) or len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise NotFound(f"artifact {digest!r}: expected sha256: and 64 hexadecimal digits")
    return f"sha256/{name[:2]}/{name[2:]}"

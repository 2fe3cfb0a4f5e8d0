"""Content-addressed bytes: packages, snapshots, files of a bundle."""

from collections.abc import Iterator
from typing import Protocol


class Artifacts(Protocol):
    """Immutable bytes under their SHA-256."""

    def put(self, body: bytes) -> str:
        """Store bytes; their digest as `sha256:<hex>`. Storing the same bytes twice is a no-op."""
        ...

    def get(self, digest: str) -> bytes:
        """The bytes, verified. Raises NotFound, or IntegrityBroken when they do not match the digest."""
        ...

    def has(self, digest: str) -> bool:
        """Whether the bytes are stored."""
        ...

    def delete(self, digest: str) -> None:
        """Remove the bytes for good; a no-op when they are gone. For erasure and retention alone."""
        ...

    def digests(self) -> Iterator[str]:
        """The digests of all stored bytes, in no order."""
        ...

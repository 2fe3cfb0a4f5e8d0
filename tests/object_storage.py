"""An S3-compatible server on this machine, for tests of object storage."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from moto.server import ThreadedMotoServer

_buckets = itertools.count()


@dataclass(frozen=True)
class ObjectStorage:
    """A running server. `options` are what a client of it needs, as environment variables or storage options."""

    url: str

    @property
    def options(self) -> dict[str, str]:
        """Where it is, and credentials that it takes."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def bucket(self) -> str:
        """The URL of a new, empty bucket."""
        name = f"bucket-{next(_buckets)}"
        httpx.put(f"{self.url}/{name}").raise_for_status()
        return f"s3://{name}"


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    """The server, until the block ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield ObjectStorage(f"http://{host}:{port}")
    finally:
        server.stop()

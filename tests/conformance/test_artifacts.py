"""Every artifact store keeps the promises of its port."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import obstore
import pytest
from obstore.store import MemoryStore, from_url

from seatrial.adapters.artifacts.store import StoredArtifacts, open_artifacts
from seatrial.errors import IntegrityBroken, NotFound
from seatrial.ports.artifacts import Artifacts
from tests.fakes.artifacts import MemoryArtifacts
from tests.object_storage import ObjectStorage, object_storage

ABSENT = "sha256:" + "0" * 64


class Case(NamedTuple):
    artifacts: Artifacts
    corrupt: Callable[[str, bytes], object]


def _local(folder: Path) -> Case:
    def corrupt(digest: str, body: bytes) -> None:
        name = digest.removeprefix("sha256:")
        (folder / "new" / "sha256" / name[:2] / name[2:]).write_bytes(body)

    return Case(open_artifacts(folder / "new"), corrupt)


def _memory(_: Path) -> Case:
    store = MemoryStore()

    def corrupt(digest: str, body: bytes) -> None:
        name = digest.removeprefix("sha256:")
        obstore.put(store, f"sha256/{name[:2]}/{name[2:]}", body)

    return Case(StoredArtifacts(store), corrupt)


def _fake(_: Path) -> Case:
    fake = MemoryArtifacts()
    return Case(fake, fake.bodies.__setitem__)


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with object_storage() as running:
        yield running


@pytest.fixture(params=["local", "memory", "s3", "fake"])
def case(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    storage: ObjectStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> Case:
    if request.param == "s3":
        for name, value in storage.options.items():
            monkeypatch.setenv(name, value)
        return _s3(f"{storage.bucket()}/artifacts")
    made: Case = {"local": _local, "memory": _memory, "fake": _fake}[request.param](tmp_path)
    return made


def _s3(url: str) -> Case:
    store = from_url(url)

    def corrupt(digest: str, body: bytes) -> None:
        name = digest.removeprefix("sha256:")
        obstore.put(store, f"sha256/{name[:2]}/{name[2:]}", body)

    return Case(open_artifacts(url), corrupt)


@pytest.mark.parametrize("body", [b"", b"model", bytes(range(256)) * 40_000])
def test_bytes_come_back_under_their_digest(case: Case, body: bytes) -> None:
    digest = case.artifacts.put(body)
    assert digest == "sha256:" + hashlib.sha256(body).hexdigest()
    assert case.artifacts.get(digest) == body
    assert case.artifacts.has(digest)


def test_storing_twice_is_a_no_op(case: Case) -> None:
    assert case.artifacts.put(b"model") == case.artifacts.put(b"model")
    assert case.artifacts.get(case.artifacts.put(b"model")) == b"model"


@pytest.mark.parametrize(
    "digest", [ABSENT, "model", "sha256:abc", "sha256:" + "A" * 64, "sha256:" + "../" * 21 + "x"]
)
def test_what_is_not_stored_is_not_found(case: Case, digest: str) -> None:
    with pytest.raises(NotFound):
        case.artifacts.get(digest)


def test_has_is_false_for_what_is_not_stored(case: Case) -> None:
    assert not case.artifacts.has(ABSENT)


@pytest.mark.parametrize("body", [b"", b"mode", b"modeL", b"model!"])
def test_changed_bytes_are_never_handed_out(case: Case, body: bytes) -> None:
    digest = case.artifacts.put(b"model")
    case.corrupt(digest, body)
    with pytest.raises(IntegrityBroken, match=digest):
        case.artifacts.get(digest)


def test_storing_again_mends_changed_bytes(case: Case) -> None:
    digest = case.artifacts.put(b"model")
    case.corrupt(digest, b"mod")
    case.artifacts.put(b"model")
    assert case.artifacts.get(digest) == b"model"


def test_a_folder_is_read_by_the_next_process_from_a_path_or_a_url(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    digest = open_artifacts(folder).put(b"model")
    assert open_artifacts(str(folder)).get(digest) == b"model"
    assert open_artifacts(folder.as_uri()).get(digest) == b"model"


def test_what_is_deleted_is_gone_and_can_be_stored_again(case: Case) -> None:
    kept, digest = case.artifacts.put(b"kept"), case.artifacts.put(b"model")
    case.artifacts.delete(digest)
    assert not case.artifacts.has(digest)
    with pytest.raises(NotFound):
        case.artifacts.get(digest)
    assert case.artifacts.put(b"model") == digest
    assert case.artifacts.get(digest) == b"model"
    assert case.artifacts.get(kept) == b"kept"


def test_deleting_what_is_not_there_is_a_no_op(case: Case) -> None:
    case.artifacts.delete(ABSENT)
    case.artifacts.delete(digest := case.artifacts.put(b"model"))
    case.artifacts.delete(digest)
    assert not case.artifacts.has(digest)


def test_what_is_no_digest_cannot_be_deleted(case: Case) -> None:
    case.artifacts.put(b"model")
    with pytest.raises(NotFound):
        case.artifacts.delete("../sha256")


def test_all_that_is_stored_is_listed(case: Case) -> None:
    assert list(case.artifacts.digests()) == []
    stored = {case.artifacts.put(body) for body in (b"", b"a", b"b")}
    assert sorted(case.artifacts.digests()) == sorted(stored)
    case.artifacts.delete(min(stored))
    assert set(case.artifacts.digests()) == stored - {min(stored)}

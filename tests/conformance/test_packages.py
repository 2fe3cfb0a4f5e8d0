"""A package is read as it was written, or refused: never half, never altered, never more than it lists."""

import io
import zipfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.adapters.runtimes.package import (
    MANIFEST,
    Manifest,
    Tensor,
    read_package,
    write_package,
    zipped,
)
from seatrial.errors import IntegrityBroken, TrainingFailed

WRITTEN = Manifest(
    kind="onnx", estimator="trees", inputs=(Tensor("numbers", ("size", "distance")),), libraries={"onnx": "1"}
)
PARTS = {"model.onnx": b"\x08\x07" * 40, "another": b"text"}
BODY = write_package(WRITTEN, PARTS)


def entries() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(BODY)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_manifest(**changes: object) -> bytes:
    found = entries()
    manifest = {**msgspec.json.decode(found[MANIFEST]), **changes}
    return zipped({**found, MANIFEST: msgspec.json.encode(manifest)})


def test_a_package_is_read_as_it_was_written() -> None:
    package = read_package(BODY)
    assert package.parts == PARTS
    assert msgspec.structs.replace(package.manifest, parts={}) == WRITTEN


def test_the_same_model_gives_the_same_bytes_in_any_order_of_parts() -> None:
    assert write_package(WRITTEN, dict(reversed(PARTS.items()))) == BODY


def test_the_manifest_comes_first_and_nothing_is_compressed() -> None:
    with zipfile.ZipFile(io.BytesIO(BODY)) as archive:
        assert archive.namelist() == [MANIFEST, "another", "model.onnx"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_part_of_another_digest_is_refused() -> None:
    with pytest.raises(IntegrityBroken, match=r"another was altered"):
        read_package(zipped({**entries(), "another": b"txet"}))


def test_missing_and_additional_parts_are_refused_together() -> None:
    odd = {**{name: body for name, body in entries().items() if name != "another"}, "more": b""}
    with pytest.raises(IntegrityBroken, match=r"another is missing; more is not in its manifest"):
        read_package(zipped(odd))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_a_format_that_is_not_known_is_refused_before_anything_else_is_read(version: object) -> None:
    with pytest.raises(TrainingFailed, match="expected format 1, which this version reads, found"):
        read_package(with_manifest(format=version, kind="of tomorrow"))


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(
        TrainingFailed, match=r"expected a manifest\.json of format 1, found Invalid enum value"
    ):
        read_package(with_manifest(kind="pickle"))


def test_a_zip_without_a_manifest_is_refused() -> None:
    with pytest.raises(TrainingFailed, match=r"expected a manifest\.json, found model\.onnx"):
        read_package(zipped({"model.onnx": b"x"}))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff"])
def test_a_manifest_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(TrainingFailed, match=r"expected a manifest\.json of JSON"):
        read_package(zipped({MANIFEST: text}))


def test_compressed_entries_are_refused_before_they_are_unpacked() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, bytes(10**8))
    with pytest.raises(TrainingFailed, match=r"compressed entries: manifest\.json"):
        read_package(bomb.getvalue())


def test_two_entries_of_one_name_are_refused() -> None:
    twice = io.BytesIO(BODY)
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("another", b"text")
    with pytest.raises(TrainingFailed, match="two entries of one name"):
        read_package(twice.getvalue())


@settings(max_examples=50)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_changes_nothing(place: int, by: int) -> None:
    flipped = bytearray(BODY)
    flipped[place] ^= by
    try:
        read = read_package(bytes(flipped))
    except (TrainingFailed, IntegrityBroken):
        return
    assert read == read_package(BODY)


@settings(max_examples=50)
@given(st.integers(0, len(BODY) - 1))
def test_the_beginning_of_a_package_is_refused(length: int) -> None:
    with pytest.raises(TrainingFailed, match="package: expected"):
        read_package(BODY[:length])

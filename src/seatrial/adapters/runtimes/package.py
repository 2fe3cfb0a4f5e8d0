"""Packages of models: an uncompressed zip whose first entry lists all others with their digests.

The same parts give the same bytes. What is not exactly as listed is refused: nothing of a package runs before.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Literal

import msgspec

from seatrial.errors import IntegrityBroken, TrainingFailed

FORMAT = 1
MANIFEST = "manifest.json"
ONNX_PART = "model.onnx"
LIGHTGBM_PART = "model.lightgbm.txt"
PROBES_PART = "probes.float32"
NATIVE_PART = "model.skops"
SOURCES = "sources/"
_ZIP = b"PK"
_SAME_MOMENT = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE = 0o644 << 16
_AGAIN = "train and package the model again"


class Tensor(msgspec.Struct, frozen=True):
    """One input of the model: a feature of text of shape (n, 1), or features that are numbers, side by side."""

    name: str
    features: tuple[str, ...]
    text: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a package says about itself. `parts` maps each other entry to its SHA-256.

    `columns` is the order of the features in which a native estimator was fitted, empty when it takes the matrix of
    its one input; `trusted` are the types that were in it then: nothing else is made when it is opened. `libraries`
    maps names of distributions to versions.
    """

    format: int = FORMAT
    kind: Literal["onnx", "native"]
    estimator: str
    inputs: tuple[Tensor, ...]
    parts: dict[str, str] = {}
    libraries: dict[str, str] = {}
    columns: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


class Package(msgspec.Struct, frozen=True):
    """A manifest and the parts that it lists."""

    manifest: Manifest
    parts: dict[str, bytes]

    def part(self, name: str) -> bytes:
        """The bytes of a part. Raises TrainingFailed when the package has none of that name."""
        if name not in self.parts:
            raise TrainingFailed(
                f"package: expected a part {name}, found {', '.join(self.parts) or 'none'}; {_AGAIN}"
            )
        return self.parts[name]

    @property
    def sources(self) -> dict[str, str]:
        """The texts of the modules that came along, by their path below `sources/`."""
        return {
            name.removeprefix(SOURCES): body.decode()
            for name, body in self.parts.items()
            if name.startswith(SOURCES)
        }


def is_package(body: bytes) -> bool:
    """Whether the bytes are one of our packages, and not the bare ONNX model of an older workspace."""
    return body.startswith(_ZIP)


def write_package(manifest: Manifest, parts: Mapping[str, bytes]) -> bytes:
    """The package's bytes, the same for the same manifest and parts."""
    listed = msgspec.structs.replace(
        manifest, parts={name: hashlib.sha256(parts[name]).hexdigest() for name in sorted(parts)}
    )
    return zipped({MANIFEST: msgspec.json.encode(listed, order="sorted"), **dict(sorted(parts.items()))})


def read_package(body: bytes) -> Package:
    """The package in the bytes, every part checked against its digest.

    Raises TrainingFailed when it is no package of a format that is known here, IntegrityBroken when its parts are
    not those that its manifest lists.
    """
    entries = _unzipped(body)
    if MANIFEST not in entries:
        raise TrainingFailed(
            f"package: expected a {MANIFEST}, found {', '.join(entries) or 'nothing'}; {_AGAIN}"
        )
    manifest = _manifest(entries.pop(MANIFEST))
    _check_parts(manifest, entries)
    return Package(manifest, entries)


def _manifest(text: bytes) -> Manifest:
    try:
        found = msgspec.json.decode(text).get("format")
    except (msgspec.DecodeError, AttributeError) as error:
        raise TrainingFailed(f"package: expected a {MANIFEST} of JSON ({error}); {_AGAIN}") from error
    if found != FORMAT:
        raise TrainingFailed(
            f"package: expected format {FORMAT}, which this version reads, found {found!r}; load it with the "
            "version that made it, or train again with this one"
        )
    try:
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.ValidationError as error:
        raise TrainingFailed(
            f"package: expected a {MANIFEST} of format {FORMAT}, found {error}; {_AGAIN}"
        ) from error


def _check_parts(manifest: Manifest, parts: Mapping[str, bytes]) -> None:
    problems = [
        *(f"{name} is missing" for name in sorted(manifest.parts.keys() - parts.keys())),
        *(f"{name} is not in its manifest" for name in sorted(parts.keys() - manifest.parts.keys())),
        *(
            f"{name} was altered"
            for name, body in parts.items()
            if manifest.parts.get(name, "") not in ("", hashlib.sha256(body).hexdigest())
        ),
    ]
    if problems:
        raise IntegrityBroken(
            f"package: expected the parts and digests that its manifest lists; {'; '.join(problems)}; {_AGAIN}"
        )


def zipped(entries: Mapping[str, bytes]) -> bytes:
    """An uncompressed zip of entries in their order, without the moment or the machine at which it was made."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, body in entries.items():
            entry = zipfile.ZipInfo(name, _SAME_MOMENT)
            entry.create_system, entry.external_attr = _UNIX, _READABLE
            archive.writestr(entry, body)
    return made.getvalue()


def _unzipped(body: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            _check_entries(archive.infolist(), len(body))
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}
    # A damaged zip raises whatever its damaged fields lead to.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise TrainingFailed(
            f"package: expected an uncompressed zip, received {len(body)} bytes ({error}); {_AGAIN}"
        ) from error


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Raises ValueError for what no package has. What is not compressed cannot unpack to more than it is."""
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("two entries of one name")
    odd = [
        entry.filename for entry in entries if entry.compress_type or entry.file_size != entry.compress_size
    ]
    if odd:
        raise ValueError(f"compressed entries: {', '.join(odd)}")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("entries that are larger than the package")

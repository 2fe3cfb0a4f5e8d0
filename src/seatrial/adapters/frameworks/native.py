"""Fitted estimators as packages that their own library serves, in a process of its own: skops, never pickle.

skops writes objects under their addresses in memory; here they are numbered, so that the same estimator gives the
same bytes.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions, version
from pathlib import PurePosixPath
from typing import Any

from seatrial.adapters.frameworks.folder import first_line
from seatrial.adapters.runtimes.carried import carry, forget, module_name
from seatrial.adapters.runtimes.package import (
    NATIVE_PART,
    SOURCES,
    Manifest,
    Tensor,
    write_package,
    zipped,
)
from seatrial.errors import MissingExtra, TrainingFailed
from seatrial.product.features import Feature

_SCHEMA = "schema.json"


def package_natively(
    estimator: Any,
    name: str,
    inputs: Sequence[Tensor],
    *,
    columns: Sequence[str] = (),
    sources: Mapping[str, str] | None = None,
) -> bytes:
    """The package of an estimator that takes a frame of the columns, or a matrix when there are none.

    Raises TrainingFailed when the estimator holds what skops cannot write, MissingExtra where skops is missing.
    """
    try:
        from skops.io import dumps, get_untrusted_types
    except ImportError as error:
        raise MissingExtra("skops", "train") from error
    sources = sources or {}
    finder = carry(sources)
    try:
        dumped = dumps(estimator)
        trusted = get_untrusted_types(data=dumped)
    # Any attribute of an estimator may refuse in its own way.
    except Exception as error:
        raise TrainingFailed(
            f"estimator {name}: cannot be written without pickle ({type(error).__name__}: {first_line(error)}); "
            "keep functions and classes in a module beside the product file, and no lambdas in the estimator"
        ) from error
    finally:
        forget(finder)
    body, modules = _numbered(dumped)
    own = {module_name(path) for path in sources}
    carried = sources if modules & own else {}
    manifest = Manifest(
        kind="native",
        estimator=name,
        inputs=tuple(inputs),
        libraries=_versions(modules - own),
        columns=tuple(columns),
        trusted=tuple(trusted),
    )
    texts = {f"{SOURCES}{path}": text.encode() for path, text in carried.items()}
    return write_package(manifest, {NATIVE_PART: body, **texts})


def tensors(columns: Sequence[str], features: Sequence[Feature]) -> tuple[Tensor, ...]:
    """Numbers side by side in the order of the columns, then each column of text."""
    words = {feature.name for feature in features if feature.categorical}
    texts = tuple(Tensor(name, (name,), text=True) for name in columns if name in words)
    numbers = tuple(name for name in columns if name not in words)
    return ((Tensor(_free("numbers", words), numbers),) if numbers else ()) + texts


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


def _numbered(dumped: bytes) -> tuple[bytes, set[str]]:
    """The dump with addresses replaced by numbers in order of appearance, and the modules that it names."""
    with zipfile.ZipFile(io.BytesIO(dumped)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        files = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    modules: set[str] = set()
    for node in _nodes(schema):
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if "file" in node and node["file"] in files:
            suffix = PurePosixPath(node["file"]).suffix
            node["file"] = names.setdefault(node["file"], f"{len(names)}{suffix}")
        modules.add(str(node.get("__module__", "")))
    renamed = {names[name]: files[name] for name in names}
    return zipped({_SCHEMA: json.dumps(schema).encode(), **renamed}), modules - {""}


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the schema, from the outside in; each is left before what lies in it is looked at."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(reversed(found.values()))
        elif isinstance(found, list):
            waiting.extend(reversed(found))


def _versions(modules: set[str]) -> dict[str, str]:
    known = packages_distributions()
    tops = {module.partition(".")[0] for module in modules} | {"skops"}
    names = {name for top in tops for name in known.get(top, ())}
    return {name: version(name) for name in sorted(names)}

"""What lies beside a product file: a consented prototype or a factory, and the modules that they import."""

import hashlib
import importlib.util
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.errors import TrainingFailed
from seatrial.product.product import Product


@dataclass(frozen=True)
class Found:
    """An estimator, and the texts of the folder's modules that came with it, by their path in the folder."""

    estimator: Any
    sources: dict[str, str] = field(default_factory=dict)


def find(product: Product) -> Found:
    """The estimator that the product file names. Raises TrainingFailed."""
    named = product.file.model.estimator
    if product.folder is None:
        raise TrainingFailed(
            f"estimator {named}: the product was read from a bundle, without the folder that holds its "
            "estimator; read it from its folder to train"
        )
    factory = ":" in named
    return _make(product.folder, named) if factory else _open(product, product.folder / named)


def _open(product: Product, path: Path) -> Found:
    """The prototype in a file, opened only with consent: opening it runs what its author put inside."""
    import joblib

    if not path.is_file():
        raise TrainingFailed(
            f"estimator: no file {path.name} in {path.parent}; put the fitted prototype there"
        )
    body = path.read_bytes()
    found = f"sha256:{hashlib.sha256(body).hexdigest()}"
    consented = product.file.model.consented
    if found != consented:
        raise TrainingFailed(
            f"estimator {path.name}: its digest is {found}, consent was given to {consented or 'none'}. Opening "
            "the file runs code that is inside it; if you know who made it, consent in product.yaml with\n"
            f"model:\n  consented: {found}"
        )
    try:
        with _importable(path.parent) as sources:
            opened = joblib.load(io.BytesIO(body))
    except Exception as error:
        raise TrainingFailed(
            f"estimator {path.name}: expected a fitted scikit-learn pipeline written by joblib.dump, and could "
            f"not open it ({type(error).__name__}: {first_line(error)})"
        ) from error
    return Found(opened, sources)


def _make(folder: Path, named: str) -> Found:
    """What the factory `module:function` beside the product file returns."""
    module_name, _, function_name = named.partition(":")
    path = folder.joinpath(*module_name.split(".")).with_suffix(".py")
    if not path.is_file():
        raise TrainingFailed(f"estimator {named}: no file {path.name} in {path.parent}")
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        with _importable(folder) as sources:
            spec.loader.exec_module(module)
            made = getattr(module, function_name)()
    except Exception as error:
        raise TrainingFailed(
            f"estimator {named}: expected {path.name} to define {function_name}(), which returns an unfitted "
            f"pipeline; it raised {type(error).__name__}: {first_line(error)}"
        ) from error
    return Found(made, {path.relative_to(folder).as_posix(): path.read_text(), **sources})


@contextmanager
def _importable(folder: Path) -> Iterator[dict[str, str]]:
    """Modules of the folder can be imported, and are forgotten afterwards: another product may use their names.

    Their texts are in the dictionary when the block is left.
    """
    known = set(sys.modules)
    sources: dict[str, str] = {}
    sys.path.insert(0, str(folder))
    try:
        yield sources
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            path = Path(getattr(sys.modules[name], "__file__", None) or "/")
            if folder in path.parents:
                del sys.modules[name]
                if path.suffix == ".py":
                    sources[path.relative_to(folder).as_posix()] = path.read_text()


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its class when it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

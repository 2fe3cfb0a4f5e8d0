"""Tables from a Python function in a file beside the product file."""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from seatrial.errors import SourceFailed
from seatrial.product.schema import Source


class PythonSource:
    """Calls `python: module:function` of a source, without arguments.

    A module is loaded once per reader, so that functions of one file can share what they read; make a new
    reader for each reading, or what they keep goes stale.
    """

    def __init__(self) -> None:
        self._modules: dict[Path, ModuleType] = {}

    def read(self, name: str, source: Source, folder: Path | None) -> pl.DataFrame:
        """The table that the function returns. Raises SourceFailed from whatever the function raised."""
        module_name, function_name = str(source.python).split(":")
        path = _file(name, module_name, folder)
        root = path.parents[module_name.count(".")]
        try:
            with _importable(root):
                return _as_frame(name, getattr(self._module(path), function_name)())
        except SourceFailed:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise SourceFailed(f"source {name}: {source.python} in {path} failed: {reason}") from error

    def _module(self, path: Path) -> ModuleType:
        if path not in self._modules:
            self._modules[path] = _load(path)
        return self._modules[path]


def _file(name: str, module_name: str, folder: Path | None) -> Path:
    if folder is None:
        raise SourceFailed(
            f"source {name}: {module_name} lies beside the product file, whose folder is not known"
        )
    path = folder.joinpath(*module_name.split(".")).with_suffix(".py").resolve()
    if not path.is_file():
        raise SourceFailed(f"source {name}: no file {path}")
    return path


def _load(path: Path) -> ModuleType:
    unique = f"seatrial_source_{sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    """Lets the code import its neighbours; afterwards they are forgotten, for another product may name its so too."""
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in set(sys.modules) - before:
            if _lies_in(sys.modules[name], root):
                del sys.modules[name]


def _lies_in(module: ModuleType, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(root)


def _as_frame(name: str, returned: Any) -> pl.DataFrame:
    if isinstance(returned, pl.LazyFrame):
        return returned.collect()
    if isinstance(returned, pl.DataFrame):
        return returned
    # pandas, PyArrow and others hand over Arrow streams. Anything else Polars would take in its own way, texts too.
    if hasattr(returned, "__arrow_c_stream__") or isinstance(returned, Mapping):
        return pl.DataFrame(returned)
    kind = type(returned).__name__
    raise SourceFailed(
        f"source {name}: expected a table (Polars, pandas, Arrow, a mapping of columns), received {kind}"
    )

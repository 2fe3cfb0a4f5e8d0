"""Python files beside the product file, loaded without leaving a trace."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from seatrial.adapters.sources.asked import Asked


class Modules:
    """What the files hold. Each is loaded once, so that what is in one of them can share what it read."""

    def __init__(self) -> None:
        self._loaded: dict[Path, ModuleType] = {}

    def named(self, path: Path, name: str) -> Any:
        """The thing of this name in a file. Raises whatever loading it raises."""
        if path not in self._loaded:
            self._loaded[path] = _load(path)
        return getattr(self._loaded[path], name)


def module_file(asked: Asked, module_name: str) -> tuple[Path, Path]:
    """The file of a module and the folder that its imports begin at. Raises SourceFailed when it is not there."""
    if asked.folder is None:
        raise asked.failed(f"{module_name} lies beside the product file, whose folder is not known")
    path = asked.folder.joinpath(*module_name.split(".")).with_suffix(".py").resolve()
    if not path.is_file():
        raise asked.failed(f"no file {path}")
    return path, path.parents[module_name.count(".")]


def _load(path: Path) -> ModuleType:
    unique = f"seatrial_source_{sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    # Some libraries look up there whose code it is that they decorate; `importable` forgets it again.
    sys.modules[unique] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def importable(root: Path) -> Iterator[None]:
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

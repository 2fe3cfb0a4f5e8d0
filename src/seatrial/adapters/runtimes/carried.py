"""Modules that came along in a package: importable from memory, by the names they had beside the product file."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping
from types import ModuleType


class CarriedModules(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and runs modules from their texts; `sources` maps paths such as `steps/encode.py` to texts."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = {module_name(path): (path, text) for path, text in sources.items()}

    def find_spec(
        self,
        fullname: str,
        path: object = None,  # noqa: ARG002 - the interpreter's protocol
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's specification, or None when it did not come along."""
        if not self._known(fullname):
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=self.is_package(fullname))

    def is_package(self, fullname: str) -> bool:
        """Whether there are modules below, or it was a folder's own module."""
        path, _ = self._sources.get(fullname, ("", ""))
        return path.endswith("__init__.py") or self._above(fullname)

    def get_source(self, fullname: str) -> str:
        """The text; a folder without one of its own is empty."""
        return self._sources.get(fullname, ("", ""))[1]

    def _known(self, name: str) -> bool:
        return name in self._sources or self._above(name)

    def _above(self, name: str) -> bool:
        return any(known.startswith(f"{name}.") for known in self._sources)


def carry(sources: Mapping[str, str]) -> CarriedModules:
    """Make the modules importable in this process, before those that are installed."""
    finder = CarriedModules(sources)
    sys.meta_path.insert(0, finder)
    return finder


def forget(finder: CarriedModules) -> None:
    """Take back `carry`, with what was imported since."""
    sys.meta_path.remove(finder)
    for name, module in list(sys.modules.items()):
        if getattr(module, "__loader__", None) is finder:
            del sys.modules[name]


def module_name(path: str) -> str:
    """The name under which the module of a path such as `steps/encode.py` is imported."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

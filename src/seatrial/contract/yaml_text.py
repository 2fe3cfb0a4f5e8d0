"""YAML as contract files use it: plain data of text, numbers, booleans, lists and mappings, and back.

Read by the rules of YAML 1.2, under which `NO` is a country, `2024-05-01` a text and `12:30` no number; written so
that readers of YAML 1.1 find the same data.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml

_PREFIX = "tag:yaml.org,2002:"
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BREAKS = "\x85\u2028\u2029"


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2; a key given twice is an error, not the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; refuses a key that is there twice."""
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        twice = next((name for name, times in keys.items() if times > 1 and name != "<<"), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_Loader.yaml_implicit_resolvers = {
    "<": [rule for rule in yaml.SafeLoader.yaml_implicit_resolvers["<"] if rule[0] == f"{_PREFIX}merge"]
}
_Loader.add_implicit_resolver(f"{_PREFIX}null", _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_PREFIX}bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver(f"{_PREFIX}int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_PREFIX}float", _FLOAT, list("-+.0123456789"))
_Loader.add_constructor(f"{_PREFIX}int", _whole)


class _Dumper(yaml.SafeDumper):
    """Puts what either version of YAML would take for something else than text into quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        """Everything is written out where it stands."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Line breaks of other scripts are escaped: YAML would read them back as spaces.
    style = '"' if any(mark in text for mark in _BREAKS) else None
    return dumper.represent_scalar(f"{_PREFIX}str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(f"{_PREFIX}float", _FLOAT, list("-+.0123456789"))
_Dumper.add_implicit_resolver(f"{_PREFIX}int", _INT, list("-+0123456789"))


def parse(text: str) -> tuple[Any, list[str]]:
    """The data of a YAML text, and every reason for which it is not plain data. Raises yaml.YAMLError."""
    data = yaml.load(text, Loader=_Loader)  # noqa: S506 - the safe loader with the scalars of YAML 1.2
    return data, list(_odd(data, ""))


def dump(data: Any) -> str:
    """Plain data as YAML, keys in their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _odd(data: Any, path: str) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                yield f"{path or 'file'}: the key {key!r} is not a text; put it in quotes"
            yield from _odd(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _odd(value, f"{path}.{index}")
    elif isinstance(data, float) and not math.isfinite(data):
        yield f"{path}: expected a finite number, got {data}"
    elif not isinstance(data, str | int | float | None):
        yield f"{path}: expected text, a number, true or false, got {type(data).__name__}"

"""YAML with line numbers, so that every problem of a product file names its place."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from seatrial.errors import ProductFileInvalid


class _Loader(yaml.SafeLoader):
    """YAML with the booleans of YAML 1.2: `on` is a key and `no` a word, as the product file uses them."""


_BOOLEAN = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] != _BOOLEAN]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def parse_yaml(text: str, name: str) -> tuple[Any, yaml.Node | None]:
    """The data and its node tree. Raises ProductFileInvalid when the text is not YAML."""
    try:
        loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 - the safe loader with fewer booleans
        return loaded, yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise ProductFileInvalid(
            [f"{line}not YAML: {getattr(error, 'problem', error)}"], name=name
        ) from error


def line_of(node: yaml.Node | None, path: Sequence[int | str]) -> int | None:
    """The line (from 1) of the deepest part of `path` that the text has, or None for an empty text."""
    line = None if node is None else node.start_mark.line + 1
    for part in path:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child.start_mark.line + 1, child
    return None

"""The product file as text for people: sections in their order, each with a word about it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

WIDTH = 100
_SHORT = 90
_ABOUT = {
    "product": "What it is, and who answers for it.",
    "objective": "What a decision is worth, and what is done today. `threshold: auto` takes the highest value.",
    "contract": "What a row must look like (Open Data Contract Standard).",
    "sources": "Where the tables come from.",
    "examples": "How rows become examples. Nothing that is known after made_at may enter a feature.",
    "model": "The prototype. It is opened only while its file has the digest that was consented to.",
    "train": "How a new model is fitted and judged.",
    "serve": "How answers are given.",
    "observe": "How harm is watched for: the budget of false alarms, and the loss of value that is tolerated.",
    "release": "The way of a new model to the live phase.",
    "retrain": "What makes the loop train again.",
}
_BOOLEAN = "tag:yaml.org,2002:bool"


class _Dumper(yaml.SafeDumper):
    """Writes `on` and `no` as the words that the product file takes them for."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - lists indented
        super().increase_indent(flow, False)


_Dumper.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] != _BOOLEAN]
    for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
_Dumper.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


class _Root(dict[str, Any]):
    """One section with its name, which always begins its own line."""


def _root(dumper: yaml.SafeDumper, data: _Root) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=False)


def _mapping(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=_fits_a_line(data))


def _sequence(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=_is_flat(data))


def _fits_a_line(data: dict[str, Any]) -> bool:
    return len(str(data)) <= _SHORT and all(
        not isinstance(value, dict) and _is_flat(value) for value in data.values()
    )


def _is_flat(value: Any) -> bool:
    return not isinstance(value, list) or all(not isinstance(one, list | dict) for one in value)


_Dumper.add_representer(_Root, _root)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(list, _sequence)


def write_product(
    sections: dict[str, Any], missing: tuple[str, ...], notes: Mapping[str, Sequence[str]] | None = None
) -> str:
    """The text of the product file; `notes` become comments at their section, what is missing comments at the end."""
    parts = [_section(name, value, (notes or {}).get(name, ())) for name, value in sections.items()]
    if missing:
        parts.append("\n# Still missing, or to be mended:\n" + "".join(f"# - {one}\n" for one in missing))
    return "".join(parts)


def _section(name: str, value: Any, notes: Sequence[str]) -> str:
    about = f"\n# {_ABOUT[name]}\n" if name in _ABOUT else ""
    about += "".join(f"# {one}\n" for one in notes)
    text = yaml.dump(
        _Root({name: _plain(value)}),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=WIDTH,
        default_flow_style=False,
    )
    return about.lstrip("\n" if name == "product" else "") + text


def _plain(value: Any) -> Any:
    """The value with texts on one line: line breaks of SQL and prose have no meaning."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value

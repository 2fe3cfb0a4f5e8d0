"""Custom properties of a part of an ODCS document: where the standard has no field of its own."""

from typing import Any

Fragment = dict[str, Any]


def extras(part: Fragment) -> dict[str, Any]:
    """The custom properties by name."""
    return {
        one["property"]: one.get("value") for one in part.get("customProperties") or () if "property" in one
    }


def set_extra(part: Fragment, name: str, value: object) -> None:
    """Give a custom property its value in place; None takes it out."""
    listed = part.get("customProperties") or []
    kept = [one for one in listed if one.get("property") != name or value is not None]
    there = next((one for one in kept if one.get("property") == name), None)
    if there is not None:
        there["value"] = value
    elif value is not None:
        kept.append({"property": name, "value": value})
    put(part, "customProperties", kept or None)


def put(part: Fragment, key: str, value: object) -> None:
    """Set a key; None takes it out."""
    if value is None:
        part.pop(key, None)
    else:
        part[key] = value


def plain(number: float) -> float | int:
    """A number as people write it: 70, not 70.0."""
    return int(number) if float(number).is_integer() and abs(number) < 2**53 else float(number)

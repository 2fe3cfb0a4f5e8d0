"""Shares, durations and budgets as people write them."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)\s*$")
_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(KB|MB|GB|KiB|MiB|GiB)\s*$")
_PER = {"day": 365.0, "week": 365.0 / 7, "month": 12.0, "year": 1.0}
_BUDGET = re.compile(r"^\s*(\d+(?:\.\d+)?)\s+per\s+(day|week|month|year)\s*$")


def parse_share(value: object) -> float:
    """A share in [0, 1] from `20%` or `0.2`. Raises ValueError for anything else."""
    if isinstance(value, str) and value.strip().endswith("%"):
        number = float(value.strip()[:-1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        raise ValueError(f"expected a share such as 20% or 0.2, got {value!r}")
    if not 0 <= number <= 1:
        raise ValueError(f"expected a share between 0% and 100%, got {value!r}")
    return number


def parse_duration(value: object) -> float:
    """Seconds from `20m`, `1.5h`, `30d`, `200ms`, or `1 per 7d` (the time between). Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.match(re.sub(r"^\s*1\s+per\s+", "", value)) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a duration such as 20m, 6h or 30d, got {value!r}")
    return float(match[1]) * _UNITS[match[2]]


def parse_size(value: object) -> int:
    """Bytes from `512MB`, `2GiB`, or a number. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a size such as 512MB or 2GiB, got {value!r}")
    return int(float(match[1]) * _BYTES[match[2]])


def parse_budget(value: object) -> float:
    """False alarms allowed per year from `1 per year`, `2 per month`. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value <= 0:
            raise ValueError("expected a budget above zero")
        return float(value)
    match = _BUDGET.match(value) if isinstance(value, str) else None
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"expected a budget such as '1 per year', got {value!r}")
    return float(match[1]) * _PER[match[2]]

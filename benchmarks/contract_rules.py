"""The 18 rules of the contract benchmark, for every system alike; imports nothing that one of them may lack."""

import json
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

FLOATS = tuple(f"f{index}" for index in range(12))
# Rules 1 to 8: these lie within LOW and HIGH.
RANGED = FLOATS[:8]
LOW, HIGH = -6.0, 6.0
# Rules 9 to 12: these are never missing.
REQUIRED = ("f8", "id", "kind", "seen")
# Rule 13: `age` lies within 0 and OLDEST. Rules 14 and 15: `kind` and `place` are one of these.
OLDEST = 120
KINDS = ("alpha", "beta", "gamma", "delta")
PLACES = tuple(f"place-{index:02}" for index in range(40))
# Rule 16: `code` matches in full. Rule 17: `id` is unique. Rule 18: the newest `seen` is not older than FRESH.
CODE = "[A-Z]{2}[0-9]{4}"
AT = datetime(2026, 1, 1, tzinfo=UTC)
FRESH = timedelta(days=2)


def is_fresh(newest: Any) -> bool:
    """Rule 18, for systems whose rules are of rows: from the newest `seen` in the table."""
    return bool(AT - newest <= FRESH)


def report(work: Callable[[], dict[str, object]]) -> None:
    """Print as JSON what `work` found, the seconds it took (imports excluded) and the peak memory in MB."""
    begun = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found | {"seconds": seconds, "peak_mb": peak}))

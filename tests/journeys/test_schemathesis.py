"""The generated OpenAPI held against a real server by schemathesis: what it says is what callers get."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.permits import permits_server
from tests.scoring_server import Server, scoring_server

# A deadline of a microsecond is a sound request and ends as 504; too many rows are refused as 413.
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 504]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415]
"""
# Rows that fit may be refused for an idempotency key that was used with others: no schema can say that.
LEFT_OUT = "positive_data_acceptance"
EXAMPLES = 6


@pytest.mark.parametrize(
    ("product", "started", "phases"),
    [
        # The second phase goes through the bounds of every schema; one product with all of them will do.
        ("hotel", scoring_server, "examples,fuzzing"),
        ("permits", permits_server, "examples,coverage,fuzzing"),
    ],
    ids=["a lookup", "every type of contracts"],
)
def test_a_server_does_what_its_description_says(
    tmp_path: Path, product: str, started: Callable[[Path], AbstractContextManager[Server]], phases: str
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [
        str(Path(sys.executable).with_name("st")),
        "run",
        "--checks=all",
        f"--exclude-checks={LEFT_OUT}",
    ]
    command += [f"--phases={phases}", f"--max-examples={EXAMPLES}", "--seed=4", "--no-color"]
    command += ["--continue-on-failure", "--suppress-health-check=all", "--warnings=off"]
    with started(tmp_path) as server:
        done = subprocess.run(
            [*command, f"{server.url}/v1/products/{product}/openapi.json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    told = "\n".join(line[:400] for line in done.stdout.splitlines() if line.strip())
    assert done.returncode == 0, told + done.stderr[-2000:]
    assert "Tested: 17" in done.stdout

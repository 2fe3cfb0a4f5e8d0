"""The trace context that calls carry."""

import subprocess
import sys
from pathlib import Path

from seatrial.client.tracing import trace_headers

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# The one function of OpenTelemetry's that is called, with its signature.
STAND_IN = f'def inject(carrier, context=None, setter=None):\n    carrier["traceparent"] = "{PARENT}"\n'


def test_a_trace_is_what_was_given_and_nothing_in_programs_without_opentelemetry() -> None:
    assert trace_headers(PARENT) == {"traceparent": PARENT}
    assert "opentelemetry.trace" in sys.modules or trace_headers(None) == {}


def test_a_program_that_uses_opentelemetry_has_its_context_passed_on(tmp_path: Path) -> None:
    package = tmp_path / "opentelemetry"
    package.mkdir()
    for name, text in (("__init__", ""), ("trace", ""), ("propagate", STAND_IN)):
        (package / f"{name}.py").write_text(text)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from seatrial.client.tracing import trace_headers\n"
        "print(trace_headers(None))\n"
        "import opentelemetry.trace\n"
        "print(trace_headers(None), trace_headers('given'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = done.stdout.splitlines()
    assert before == "{}"
    assert after == f"{{'traceparent': '{PARENT}'}} {{'traceparent': 'given'}}"

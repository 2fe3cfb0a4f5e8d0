"""Closed-loop load with wrk: one thread, some connections, each answer followed by the next request."""

import json
import shutil
import subprocess
from pathlib import Path

JSON = "application/json"
MISSING = "wrk is missing: `apt-get install wrk`, or build it from github.com/wg/wrk"

# The requests are made before the clock starts; bodies that are not JSON stand in hexadecimal digits. wrk itself counts
# every answer whose status is not 2xx or 3xx.
_SCRIPT = """
wrk.method = "POST"
local requests, at = {}, 0
local function byte(digits) return string.char(tonumber(digits, 16)) end
function init(arguments)
  wrk.headers["Content-Type"] = arguments[2]
  for body in io.lines(arguments[1]) do
    if arguments[2] ~= "application/json" then body = body:gsub("..", byte) end
    requests[#requests + 1] = wrk.format(nil, nil, nil, body)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""

Load = dict[str, float]


def is_there() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def load(url: str, bodies: Path, connections: int, seconds: float, content_type: str = JSON) -> Load:
    """One run against a running server: requests, rate per second, p50 and p99 in ms, and how many failed."""
    script = bodies.with_name("post.lua")
    script.write_text(_SCRIPT)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    done = subprocess.run(
        [*command, "-s", str(script), url, "--", str(bodies), content_type],
        check=True,
        capture_output=True,
        text=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    found: Load = json.loads(line)
    rate = found["requests"] / found["seconds"]
    return {
        "rate": rate,
        "requests": found["requests"],
        "p50": found["p50"],
        "p99": found["p99"],
        "errors": found["errors"],
    }

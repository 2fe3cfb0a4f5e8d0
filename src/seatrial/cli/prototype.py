"""`seatrial init` and `seatrial prototype`."""

from pathlib import Path

import click

from seatrial.cli.app import App, command_options

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--name", required=True, help="The product's name, such as flight-delays.")
@click.option("--model", "model_file", type=_FILE, required=True, help="The fitted model, saved with joblib.")
@click.option("--data", "sample", type=_FILE, default=None, help="A table that the model was made from.")
@click.option(
    "--answers", type=_FILE, default=None, help="What only people know: owner, objective, sources, rules."
)
@click.option(
    "--consent", is_flag=True, help="Open the model file, which runs code in it; its digest is recorded."
)
@click.option("--force", is_flag=True, help="Replace product.yaml and contract.yaml.")
@command_options
def init(
    app: App,
    *,
    name: str,
    model_file: Path,
    sample: Path | None,
    answers: Path | None,
    consent: bool,
    force: bool,
) -> None:
    """Take in a fitted model and its data; write product.yaml and contract.yaml, and say what is missing."""
    from seatrial.cli.words import bullets
    from seatrial.cycle.intake import write_product
    from seatrial.wiring import model_inspector, open_workspace, source_reader

    if not consent:
        raise click.UsageError(
            f"{model_file} is a pickle: opening it runs whatever code is in it. "
            "If you trust where it comes from, say so with --consent."
        )
    app.say("looking into the model and the sources …")
    intake = write_product(
        app.folder,
        name=name,
        model_file=model_file,
        sample_file=sample,
        answers_text=answers.read_text() if answers else None,
        inspector=model_inspector(),
        reader=source_reader(),
        workspace=open_workspace(app.settings()),
        replace=force,
    )
    written = {"product": str(app.folder / "product.yaml"), "contract": str(app.folder / "contract.yaml")}
    missing = bullets(intake.missing) if intake.missing else "  nothing is missing"
    suspected = bullets([str(one) for one in intake.suspected])
    leaks = (
        f"\nwithheld from the features, for they may be known only later:\n{suspected}" if suspected else ""
    )
    app.show(
        {**written, "missing": intake.missing, "suspected": intake.suspected},
        lambda: f"wrote {written['product']}\nwrote {written['contract']}{leaks}\nstill missing:\n{missing}",
    )


@click.group(invoke_without_command=True)
@command_options
def prototype(app: App) -> None:
    """Show what was taken in."""
    _show(app)


@prototype.command("show")
@command_options
def show(app: App) -> None:
    """Show what was taken in."""
    _show(app)


def _show(app: App) -> None:
    product = app.product()
    found = {
        "product": product.name,
        "purpose": product.file.purpose,
        "estimator": product.file.model.estimator,
        "consented": product.file.model.consented,
        "features": {feature.name: feature.type for feature in product.features},
        "sources": sorted(product.file.sources),
        "lookups": sorted(product.file.examples.lookups),
    }
    lines = [f"{key:<10} {value}" for key, value in found.items() if key != "features"]
    lines += ["features", *(f"  {feature.name}: {feature.type}" for feature in product.features)]
    app.show(found, lambda: "\n".join(lines))

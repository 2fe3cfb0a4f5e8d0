"""`seatrial train`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.facts.model import Model


@click.group(invoke_without_command=True)
@command_options
def train(app: App) -> None:
    """Fit on the newest snapshot, compare with simpler policies, choose the threshold, package, register."""
    from seatrial.cycle.retrain import Workshop
    from seatrial.cycle.stages import train_newest
    from seatrial.wiring import training_tools

    product, workspace = app.product(), app.workspace()
    app.say("fitting …")
    model = train_newest(Workshop(product, workspace, training_tools(workspace)), why="seatrial train")
    unit = product.objective.section.unit
    app.show(model, lambda: model_text(model, unit))


@train.command("show")
@click.option("--card", is_flag=True, help="The model's card.")
@command_options
def show(app: App, card: bool) -> None:
    """Show the newest model."""
    import msgspec

    from seatrial.cycle.erase import erasures_of
    from seatrial.cycle.stages import newest
    from seatrial.facts.model import Model

    product, workspace = app.product(), app.workspace()
    model = newest(workspace, Model, product.name)
    if card:
        body = workspace.artifacts.get(model.card).decode()
        app.show({"model": model.id, "card": body}, lambda: body)
        return
    with workspace.metadata.begin() as transaction:
        erased = [erasure.id for erasure in erasures_of(transaction, product.name, model.id)]
    told = model_text(model, product.objective.section.unit) + _erased_text(erased)
    app.show(msgspec.to_builtins(model) | {"erasures": erased}, lambda: told)


def _erased_text(erasures: Sequence[str]) -> str:
    """A warning that rows which a model was trained on were erased since; empty when none were."""
    if not erasures:
        return ""
    return f"\n\nrows that it was trained on were erased since ({', '.join(erasures)}): train another one"


def _native_text(model: "Model") -> list[str]:
    """Why a model is served by its own library; nothing of one that is served by ONNX Runtime."""
    if model.served_by == "onnx":
        return []
    return [f"served by its own library, in a process of its own: {model.not_converted}"]


def model_text(model: "Model", unit: str) -> str:
    """A model in words."""
    from seatrial.cli.words import interval, number, table

    rows = [
        (
            line.policy.replace("_", " "),
            interval(line.value),
            interval(line.advantage) if line.advantage else "",
            number(line.log_loss, 4) if line.log_loss is not None else "",
            number(line.auc, 3) if line.auc is not None else "",
        )
        for line in model.comparisons
    ]
    parity = model.parity
    fitted = (
        f"{model.estimator}, {model.training_rows:,} rows to {model.trained_to:%Y-%m-%d}, "
        f"{model.validation_rows:,} of them validate; {model.seconds:.1f} s"
    )
    return "\n".join(
        [
            f"model {model.id}",
            fitted,
            f"threshold {model.threshold:.4f}; promises {interval(model.promise, 2)} {unit} per decision",
            f"package equals model: largest difference {parity.largest_difference:.1e} on {parity.rows:,} rows",
            *_native_text(model),
            "",
            table(("policy", f"value on validation, {unit}", "model's advantage", "log loss", "AUC"), rows),
        ]
    )

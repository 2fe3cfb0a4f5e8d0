"""`seatrial data why`: why a row is, or is not, in the training data."""

from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.data.why import Answer, Aside


@click.command("why", short_help="Why rows are, or are not, in the training data.")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--snapshot", default="", help="Id of a snapshot, or its beginning (default: the newest).")
@command_options
def why(app: App, keys: tuple[str, ...], snapshot: str) -> None:
    """Say why the rows with these keys are, or are not, in the training data."""
    from seatrial.cycle.why import why as answers_of

    answers = answers_of(app.product(), app.workspace(), keys, snapshot=snapshot)
    app.show(answers, lambda: "\n\n".join(_text(answer) for answer in answers))


def _text(answer: "Answer") -> str:
    from seatrial.cli.words import bullets

    head = f"{answer.key}: {answer.reason}: {answer.words}"
    lines = [
        f"{one.at:%Y-%m-%d %H:%M}, load {one.load or '-'}, line {'-' if one.line is None else one.line}: {one.rule}: "
        f"expected {one.expected}, received {one.received} ({_state(one)})"
        for one in answer.aside
    ]
    return "\n".join([head, *(["put aside:", bullets(lines)] if lines else [])])


def _state(aside: "Aside") -> str:
    return "open" if aside.open else f"settled {aside.settled}".strip()

"""`seatrial data skew`: what was served, beside the same decisions computed again."""

from typing import TYPE_CHECKING

import click

from seatrial.cli.app import App, command_options

if TYPE_CHECKING:
    from seatrial.data.skew import Skew


@click.command("skew", short_help="Compare served features with those recomputed now.")
@command_options
def skew(app: App) -> None:
    """Compare the features of stored answers with the same decisions recomputed from the stored sources.

    Exits 1 when a value differs and nothing on record says why.
    """
    from seatrial.cycle.skew import skew_of

    found = skew_of(app.workspace(), app.product())
    app.show(found, lambda: skew_text(found))
    if found.unexplained:
        raise SystemExit(1)


def skew_text(found: "Skew") -> str:
    """A skew in words."""
    from seatrial.cli.words import table

    missed = "".join(f"; {count:,} {cause}" for cause, count in found.missed.items())
    head = f"{found.compared:,} of {found.answers:,} answers found in the sources{missed}"
    differing = [one for one in found.features if one.differing]
    if not differing:
        return f"{head}\n{len(found.features)} features recomputed: none differs"
    rows = [
        (
            one.feature,
            f"{one.compared:,}",
            f"{one.differing:,}",
            "" if one.largest is None else f"{one.largest:g}",
            ", ".join(f"{cause} ({count:,})" for cause, count in one.causes.items()),
        )
        for one in differing
    ]
    shown = [
        (one.prediction_id, one.key, one.feature, one.served, one.recomputed, one.cause)
        for one in found.differences
    ]
    return "\n\n".join(
        [
            f"{head}\n{len(differing)} of {len(found.features)} features differ",
            table(("feature", "answers", "differ", "at most by", "because"), rows),
            table(("prediction", "key", "feature", "served", "recomputed", "because"), shown),
        ]
    )

"""`seatrial token`."""

import getpass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.app import App, command_options
from seatrial.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from seatrial.facts.token import Quota, Token
    from seatrial.ports.workspace import Workspace

# As facts.token.Scope has them, which is not imported for a help text; a test holds the two together.
SCOPES = ("predict", "outcomes", "operate", "admin")


@click.group(invoke_without_command=True)
@command_options
def token(app: App) -> None:
    """Show who may ask the servers for what: the tokens of this workspace."""
    _list(app)


@token.command("create")
@click.option("--name", required=True, help="What the logbook calls whoever acts with it.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="May be given several times.",
)
@click.option("--product", default="", help="The only product it is for (default: all of the workspace).")
@click.option("--expires", default=None, help="After which time it does not hold any more, such as 90d.")
@click.option("--quota", default=None, help="Rows it may ask for, such as '100 per second'.")
@click.option("--why", default="made by hand", show_default=True, help="The reason, for the logbook.")
@command_options
def create(
    app: App,
    *,
    name: str,
    scopes: tuple[str, ...],
    product: str,
    expires: str | None,
    quota: str | None,
    why: str,
) -> None:
    """Make a token and show it, this once: only its digest is kept."""
    from seatrial.web.tokens import create_token

    lasts, limit = _lasts(expires), _quota(quota)
    workspace = app.workspace()
    now = workspace.clock.now()
    made, text = create_token(
        workspace.metadata,
        name=name,
        scopes=scopes,
        product=product,
        now=now,
        by=getpass.getuser(),
        why=why,
        expires_at=None if lasts is None else now + lasts,
        quota=limit,
    )
    known = _products(app, workspace)
    if product and known and product not in known:
        app.say(f"warning: no product {product} is known here; known: {', '.join(sorted(known))}")
    app.say(f"{_told(made, now)}\nit is shown this once; send it as the header authorization: Bearer <token>")
    app.show({"token": text, **_shown(made, now)}, lambda: text)


@token.command("list")
@command_options
def list_(app: App) -> None:
    """List all tokens, also those that do not hold any more, without their secrets."""
    _list(app)


@token.command("revoke")
@click.argument("which", metavar="NAME_OR_ID")
@click.option("--why", required=True, help="The reason, for the logbook.")
@command_options
def revoke(app: App, *, which: str, why: str) -> None:
    """End a token: servers refuse it within seconds."""
    from seatrial.web.tokens import revoke_token

    _check_workspace(app)
    workspace = app.workspace()
    now = workspace.clock.now()
    found = revoke_token(workspace.metadata, which, now=now, by=getpass.getuser(), why=why)
    app.show(_shown(found, now), lambda: f"token {found.name} ({found.id}) is revoked")


def _list(app: App) -> None:
    from seatrial.web.tokens import all_tokens

    _check_workspace(app)
    workspace = app.workspace()
    now, found = workspace.clock.now(), all_tokens(workspace.metadata)
    app.show([_shown(one, now) for one in found], lambda: _text(found, now))


def _check_workspace(app: App) -> None:
    """Raises NotFound where nothing can be: an empty new workspace would have no tokens, and mean nothing."""
    settings = app.settings()
    if not settings.values["metadata_url"].value and not settings.workspace.is_dir():
        raise NotFound(f"no workspace at {settings.workspace}; choose the product's folder with -C")


def _products(app: App, workspace: "Workspace") -> set[str]:
    """The products of the folder and of the workspace."""
    from seatrial.facts.release import Release

    with workspace.metadata.begin() as transaction:
        released = {release.product for release in transaction.all(Release)}
    return released | {name for name in [app.written_name()] if name}


def _lasts(text: str | None) -> timedelta | None:
    from seatrial.product.amounts import parse_duration

    if text is None:
        return None
    try:
        return timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint="--expires") from error


def _quota(text: str | None) -> "Quota | None":
    from seatrial.facts.token import quota_of

    if text is None:
        return None
    try:
        return quota_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--quota") from error


def _shown(one: "Token", now: "datetime") -> dict[str, Any]:
    """A token as JSON shows it: without its digest, with what became of it."""
    import msgspec

    body: dict[str, Any] = msgspec.to_builtins(one)
    del body["digest"]
    return {**body, "state": _state(one, now)}


def _state(one: "Token", now: "datetime") -> str:
    if one.revoked_at is not None:
        return "revoked"
    return "holds" if one.holds(now) else "expired"


def _told(one: "Token", now: "datetime") -> str:
    ends = f", until {one.expires_at:%Y-%m-%d %H:%M} UTC" if one.expires_at else ""
    product = one.product or "every product of this workspace"
    return f"token {one.name} ({one.id}) {_state(one, now)}: {', '.join(one.scopes)} for {product}{ends}"


def _text(found: "list[Token]", now: "datetime") -> str:
    from seatrial.cli.words import table

    rows = [
        (
            one.id,
            one.name,
            _state(one, now),
            ", ".join(one.scopes),
            one.product or "all",
            f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "never",
            f"{one.quota.rows} in {one.quota.seconds:g} s" if one.quota else "none",
        )
        for one in found
    ]
    return table(("id", "name", "", "scopes", "product", "expires", "quota"), rows)

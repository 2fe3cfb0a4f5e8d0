"""What the workspace knows of a product whose file cannot be used, while its release goes on answering."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seatrial.facts.release import Release
    from seatrial.ports.workspace import Workspace
    from seatrial.product.product import Product
    from seatrial.settings import Settings


def released_name(settings: "Settings") -> str | None:
    """The only product of the workspace that has a live release; None where there is none, or more than one."""
    with _workspace(settings) as workspace:
        found = _only_live(workspace, None)
    return found.product if found else None


def released_product(settings: "Settings", name: str | None) -> "Product | None":
    """A product as it was released: the named one, without a name the only one that is live. None where none is."""
    from seatrial.product.bundle import bundled_product

    with _workspace(settings) as workspace:
        found = _only_live(workspace, name)
        return bundled_product(found.bundle, workspace.artifacts) if workspace and found else None


@contextmanager
def _workspace(settings: "Settings") -> "Iterator[Workspace | None]":
    """The workspace, where there is one: it is not made, for an empty one has nothing to tell."""
    from seatrial.wiring import open_workspace

    if not settings.values["metadata_url"].value and not settings.workspace.is_dir():
        yield None
        return
    workspace = open_workspace(settings)
    try:
        yield workspace
    finally:
        workspace.metadata.close()


def _only_live(workspace: "Workspace | None", name: str | None) -> "Release | None":
    from seatrial.facts.release import Phase, Release

    if workspace is None:
        return None
    with workspace.metadata.begin() as transaction:
        live = [one for one in transaction.all(Release, name) if one.phase is Phase.LIVE]
    return live[0] if len(live) == 1 else None

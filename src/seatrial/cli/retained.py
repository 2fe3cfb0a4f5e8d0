"""What retention removed, and what it will remove, in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from seatrial.cli.app import App

if TYPE_CHECKING:
    from seatrial.ports.workspace import Workspace
    from seatrial.product.product import Product


def removed_today(product: "Product", workspace: "Workspace") -> dict[str, int]:
    """Rows per table that retention removed today, by the workspace's clock."""
    from seatrial.cycle.retention import removed_on_day

    return removed_on_day(workspace, product, workspace.clock.now())


def overdue_now(app: App, product: "Product") -> dict[str, int]:
    """Rows per table that are older than they may be kept already; nothing where no workspace is."""
    from seatrial.cycle.retention import overdue

    if product.file.governance.retention is None or not app.settings().workspace.is_dir():
        return {}
    workspace = app.workspace()
    return overdue(workspace, product, workspace.clock.now())


def removed_text(product: str, gone: Mapping[str, int]) -> str:
    """What went, or ""."""
    return f"retention removed today: {_counted(product, gone)}" if gone else ""


def overdue_text(product: str, rows: Mapping[str, int]) -> str:
    """What will go, or ""."""
    if not rows:
        return ""
    return (
        f"older than governance.retention already: {_counted(product, rows)}; the loop removes them for good"
    )


def _counted(product: str, rows: Mapping[str, int]) -> str:
    named = {table.removeprefix(f"{product}."): count for table, count in rows.items()}
    return ", ".join(f"{count:,} row{'' if count == 1 else 's'} of {name}" for name, count in named.items())

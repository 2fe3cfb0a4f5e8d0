"""The `seatrial` command. Commands are imported when they are called, so that `--help` stays quick."""

import importlib

import click

from seatrial import __version__

# name -> (module, what --help says), in the order of the loop, then what stands beside it.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("prototype", "Take in a fitted model and its data; write product.yaml and contract.yaml."),
    "check": ("data", "Check the product file and, with --data, every source against the contract."),
    "contract": ("contract", "Show the contract, propose one from data, compare two."),
    "prototype": ("prototype", "Show what was taken in: the model, its digest, what is missing."),
    "data": ("data", "Read the sources, check, quarantine, join as known, write a snapshot."),
    "train": ("train", "Fit on the newest snapshot, compare, choose the threshold, package, register."),
    "release": ("release", "Put the newest model through its gates and in front of traffic; roll back."),
    "serve": ("serve", "Serve predictions over HTTP on this machine."),
    "score": ("score", "Score files of any size through the same engine; resumable, every row once."),
    "observe": ("observe", "Join outcomes, update the monitors, show findings and incidents."),
    "decide": ("decide", "Run one round of the loop: promote, hold, roll back, retrain."),
    "value": ("value", "Show what the decisions earned, against what would be done without the model."),
    "launch": ("release", "Data, training and release in one go."),
    "up": ("serve", "Start data plane, control plane and console together."),
    "status": ("status", "Show where the product stands."),
    "rehearse": ("rehearse", "Replay history through the whole stack before going live."),
    "readiness": ("readiness", "Run the 28 readiness tests and show the evidence."),
    "logbook": ("logbook", "Show or verify the record of every change."),
    "token": ("token", "Make, list and revoke the tokens that callers of the servers show."),
    "demo": ("demo", "Take a flight-delay prototype to a product that earns, on real data."),
}


class _Lazy(click.Group):
    """A group whose commands' modules are imported only when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the loop."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for a name that is not there."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"seatrial.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with their summaries, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seatrial")
def main() -> None:
    """Take a prototype model to a watched, self-repairing, value-accounted product."""

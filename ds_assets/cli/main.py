"""Entry point of the command line `ds-assets`.

Scope: which commands there are. A command is a module of its own, imported when it is called, so
that `--help` does not wait for Dagster.
"""

from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ds_assets.errors import INPUT_ERROR, NEEDS_A_PERSON, UNAVAILABLE, exit_on_error

COMMANDS = {
    "check": "Validate the settings and the game file, and open every place where data is stored.",
    "init": "Look at the logs of a game, and write a game file with what they show.",
    "doctor": "Examine the logs of the last days, and write to every place what is taken back.",
    "simulate": "Write the logs of a simulated game, as messy as you ask for.",
    "import-logs": "Split log files that hold many days into files of days, in the log source.",
    "run": "Run the whole graph for a day, for a range of days, or for the newest day alone.",
    "status": "Show where each day stands, what happens next, and what needs a person.",
    "ui": "Open the Dagster UI and its daemon, with the history of runs, until Ctrl-C.",
    "accept": "Let a day pass that a check, or an operator, has refused.",
    "refuse": "Withdraw a day and its predictions: nothing is made from it any longer.",
    "pause": "Stop a promotion from assigning more users; what is in effect ends on its day.",
    "withdraw": "Take the offers of a promotion back at once, and assign it to no more users.",
    "resume": "Continue a promotion that was paused, withdrawn, or stopped by useless predictions.",
    "refresh": "Explain what a changed game.yaml means, and make outdated days again.",
    "predict": "Print the predictions of users, one line of JSON each.",
    "serve": "Serve the prediction API until interrupted. API docs at /docs.",
    "keys": "Manage the keys of the API.",
    "claim": "Take over the rows and cache entries of the installation's name for this lake.",
    "rebuild-cache": "Refill the cache from what is in the lake.",
    "demo": "Run a year of real daily logs through the graph, print a summary, open the UI.",
}
"""Commands and their help; the module of a command has the same text."""


class _CommandGroup(TyperGroup):
    """Commands whose modules are imported when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """See `TyperGroup`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """A command as `--help` lists it, which cannot be called."""
        text = COMMANDS.get(cmd_name)
        return None if text is None else TyperCommand(cmd_name, help=text)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called."""
        name, listed, rest = super().resolve_command(ctx, args)
        if name is None or listed is None:
            return name, listed, rest
        return name, load_command(name), rest


def load_command(name: str) -> Any:
    """Import a command with its options."""
    module = import_module(f"ds_assets.cli.{name.replace('-', '_')}")
    return get_command(module.app)


app = typer.Typer(
    cls=_CommandGroup,
    help="Daily player predictions: from raw game logs to churn, payment and clusters.",
    epilog=(
        f"Exit codes: 0 success; {NEEDS_A_PERSON} something needs a person; "
        f"{INPUT_ERROR} a mistake in the input or a setting, such as a "
        f"refused password; {UNAVAILABLE} a server is unavailable, retry later."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"ds-assets {metadata.version('ds_assets')}")
        raise typer.Exit


@app.callback()
def _warn_of_unknown_variables(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001  (its callback prints it)
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    from ds_assets.settings import find_unknown_variables  # noqa: PLC0415  (slow)

    if context.invoked_subcommand not in {"check", "doctor"}:  # which report them as mistakes
        for text in find_unknown_variables():
            typer.echo(f"warning: {text}", err=True)


def main() -> None:
    """Run the command line."""
    with exit_on_error():
        app(prog_name="ds-assets")

"""`ds-assets accept`."""

from typing import Annotated

import typer

from ds_assets.cli.decisions import Day, decide
from ds_assets.core.verdicts import Decision
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def accept(day: Day, reason: Annotated[str, typer.Option(help="Why the day may be used.")]) -> None:
    """Let a day pass that a check, or an operator, has refused."""
    verdict = decide(load_installation(), day, Decision.ACCEPTED, reason)
    typer.echo(
        f"{verdict.day} is {verdict}. The sensor runs the day and those that use it; without it, "
        f"`ds-assets run {verdict.day}`."
    )

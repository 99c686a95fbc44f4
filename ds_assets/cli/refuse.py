"""`ds-assets refuse`."""

from typing import Annotated

import typer

from ds_assets.cli.decisions import Day, decide
from ds_assets.core.verdicts import Decision

app = typer.Typer()


@app.command()
def refuse(
    day: Day, reason: Annotated[str, typer.Option(help="Why the day must not be used.")]
) -> None:
    """Withdraw a day: nothing is made from it any longer."""
    verdict = decide(day, Decision.REFUSED, reason)
    typer.echo(
        f"{verdict.day} is {verdict}. The sensor makes the days that used it again; predictions of "
        "the day itself that were delivered stay until a later day replaces them."
    )

"""`ds-assets accept`."""

import datetime as dt
from typing import Annotated

import typer

from ds_assets.core.verdicts import Decision
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.installation import load_installation, operator_name

app = typer.Typer()


@app.command()
def accept(
    day: Annotated[dt.datetime, typer.Argument(formats=["%Y-%m-%d"], metavar="DAY")],
    reason: Annotated[str, typer.Option(help="Why the day may be used.")],
) -> None:
    """Let a day pass that a check, or an operator, has refused."""
    installation = load_installation()
    verdict = decide_by_operator(
        day.date(),
        Decision.ACCEPTED,
        reason,
        operator_name(),
        installation.lake(),
        installation.game,
    )
    typer.echo(
        f"{verdict.day} is {verdict}. The sensor runs the day and those that use it; without it, "
        f"`ds-assets run {verdict.day}`."
    )

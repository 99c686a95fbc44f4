"""`ds-assets refuse`."""

import datetime as dt
from typing import Annotated

import typer

from ds_assets.core.verdicts import Decision
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.installation import load_installation, operator_name

app = typer.Typer()


@app.command()
def refuse(
    day: Annotated[dt.datetime, typer.Argument(formats=["%Y-%m-%d"], metavar="DAY")],
    reason: Annotated[str, typer.Option(help="Why the day must not be used.")],
) -> None:
    """Withdraw a day: nothing is made from it any longer."""
    installation = load_installation()
    verdict = decide_by_operator(
        day.date(),
        Decision.REFUSED,
        reason,
        operator_name(),
        installation.lake(),
        installation.game,
    )
    typer.echo(
        f"{verdict.day} is {verdict}. The sensor makes the days that used it again; predictions of "
        "the day itself that were delivered stay until a later day replaces them."
    )

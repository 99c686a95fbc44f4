"""`ds-assets refuse`."""

from typing import Annotated

import typer

from ds_assets.cli.decisions import Day, decide
from ds_assets.core.verdicts import Decision
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.withdrawal import withdraw_from_cache, withdraw_from_results
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def refuse(
    day: Day, reason: Annotated[str, typer.Option(help="Why the day must not be used.")]
) -> None:
    """Withdraw a day and its predictions: nothing is made from it any longer."""
    installation = load_installation()
    verdict = decide(installation, day, Decision.REFUSED, reason)
    typer.echo(f"{verdict.day} is {verdict}. The sensor makes the days that used it again.")
    lake = installation.lake()
    records = open_records(installation.game, lake)
    with installation.results() as results, installation.cache() as cache:
        for place, withdrawn in {
            "the results database": withdraw_from_results(records, lake, results),
            "the cache": withdraw_from_cache(records, lake, cache),
        }.items():
            days = ", ".join(map(str, withdrawn)) or "nothing, as it does not have the day"
            typer.echo(f"Withdrawn from {place}: {days}.")

"""`ds-assets withdraw`."""

from typing import Annotated

import typer

from ds_assets.cli.promotion_decisions import PromotionName, decide
from ds_assets.core.promotions.decisions import Choice
from ds_assets.infra.withdrawal import take_offers_out_of_cache
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def withdraw(
    promotion: PromotionName,
    reason: Annotated[str, typer.Option(help="Why the offer must not be shown any longer.")],
) -> None:
    """Take the offers of a promotion back at once, and assign it to no more users."""
    installation = load_installation()
    decision = decide(installation, promotion, Choice.WITHDRAWN, reason)
    typer.echo(f"{promotion} is {decision}. `ds-assets resume {promotion}` assigns it again.")
    lake, days = installation.lake(), 0
    with installation.cache() as cache:
        for day, put in take_offers_out_of_cache(promotion, lake, cache, installation.game):
            typer.echo(f"Taken out of the cache of {day}: {put.written:,} users written again.")
            days += 1
    if not days:
        typer.echo("The cache has no offers of it.")
    typer.echo(
        "The results database has them until these days are delivered again: the sensor does that,"
        " or `ds-assets refresh --yes`. A receiver of changes hears of it with the next day's run."
    )

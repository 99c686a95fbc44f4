"""`ds-assets resume`."""

from typing import Annotated

import typer

from ds_assets.cli.promotion_decisions import PromotionName, decide
from ds_assets.core.promotions.decisions import Choice
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def resume(
    promotion: PromotionName,
    reason: Annotated[str, typer.Option(help="Why users are assigned again.")] = "",
) -> None:
    """Continue a promotion that was paused, withdrawn, or stopped by useless predictions."""
    decision = decide(load_installation(), promotion, Choice.RESUMED, reason)
    typer.echo(f"{promotion} is {decision}. It assigns users from the next day on.")

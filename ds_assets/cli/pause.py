"""`ds-assets pause`."""

from typing import Annotated

import typer

from ds_assets.cli.promotion_decisions import PromotionName, decide
from ds_assets.core.promotions.decisions import Choice
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def pause(
    promotion: PromotionName,
    reason: Annotated[str, typer.Option(help="Why no more users are assigned.")],
) -> None:
    """Stop a promotion from assigning more users; what is in effect ends on its day."""
    decision = decide(load_installation(), promotion, Choice.PAUSED, reason)
    typer.echo(
        f"{promotion} is {decision}. `ds-assets resume {promotion}` continues it; "
        f"`ds-assets withdraw {promotion}` also ends what is in effect."
    )

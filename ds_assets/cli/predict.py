"""`ds-assets predict`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from ds_assets.installation import load_installation
from ds_assets.serving.sources import INTERACTIVE_TIMEOUT_S

app = typer.Typer(add_completion=False)


@app.command()
def predict(user_ids: Annotated[list[str], typer.Argument(metavar="USER_ID...")]) -> None:
    """Print the predictions of users, one line of JSON each."""
    asyncio.run(_predict(user_ids))


async def _predict(user_ids: Sequence[str]) -> None:
    with load_installation().service(INTERACTIVE_TIMEOUT_S) as service:
        try:
            await service.refresh()
            for answer in await service.answer(user_ids):
                typer.echo(answer.to_json().decode())
            if degraded := service.health().degraded:
                typer.echo(f"unavailable, skipped: {', '.join(degraded)}", err=True)
        finally:
            await service.close()

"""`ds-assets check`."""

import typer

from ds_assets.cli.diagnosis import (
    TIMEOUT_SECONDS,
    Finding,
    Result,
    diagnose,
    find_environment_mistakes,
)
from ds_assets.errors import INPUT_ERROR, UNAVAILABLE, InputError
from ds_assets.installation import Installation, load_installation
from ds_assets.settings import find_unknown_variables

app = typer.Typer(add_completion=False)


@app.command()
def check() -> None:
    """Validate the settings and the game file, and open every place where data is stored."""
    installation = _load_installation()
    results = diagnose(installation, TIMEOUT_SECONDS)
    for name, place in _places(installation).items():
        if name in results:
            typer.echo(f"{name:<9} {place}: {_describe(results[name])}")
    mistakes = find_environment_mistakes(installation)
    for mistake in mistakes:
        typer.echo(_describe(mistake))
    kinds = {
        result.kind for result in (*results.values(), *mistakes) if isinstance(result, Finding)
    }
    if not kinds:
        typer.echo("All settings are valid.")
    if "mistake" in kinds:
        raise typer.Exit(INPUT_ERROR)
    if "unavailable" in kinds:
        raise typer.Exit(UNAVAILABLE)


def _load_installation() -> Installation:
    try:
        return load_installation()
    except InputError as error:
        raise InputError("\n".join([str(error), *find_unknown_variables()])) from None


def _places(installation: Installation) -> dict[str, str]:
    settings = installation.settings
    game = f"{installation.game.name} ({settings.game})"
    return {"game": game, **settings.places(), "engine": "Spark"}


def _describe(result: Result) -> str:
    """One line for a result, which names its kind if something is wrong."""
    if isinstance(result, str):
        return result
    return f"{result.kind}: {' '.join(result.text.split())}"

"""`ds-assets check`."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from ds_assets.errors import INPUT_ERROR, UNAVAILABLE, InputError
from ds_assets.installation import Installation, load_installation
from ds_assets.onboarding.diagnosis import (
    TIMEOUT_SECONDS,
    Result,
    diagnose,
    find_environment_mistakes,
    name_places,
)
from ds_assets.settings import find_unknown_variables

app = typer.Typer(add_completion=False)


@app.command()
def check(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: place, kind and text of each finding.")
    ] = False,
) -> None:
    """Validate the settings and the game file, and open every place where data is stored."""
    installation = _load_installation()
    results = diagnose(installation, TIMEOUT_SECONDS)
    mistakes = find_environment_mistakes(installation)
    if as_json:
        typer.echo(json.dumps(_as_records(installation, results, mistakes), indent=2))
    else:
        _print_lines(installation, results, mistakes)
    kinds = {_kind(result) for result in (*results.values(), *mistakes)}
    if "mistake" in kinds:
        raise typer.Exit(INPUT_ERROR)
    if "unavailable" in kinds:
        raise typer.Exit(UNAVAILABLE)


def _print_lines(
    installation: Installation, results: Mapping[str, Result], mistakes: Sequence[Result]
) -> None:
    for name, place in name_places(installation).items():
        if name in results:
            typer.echo(f"{name:<9} {place}: {_describe(results[name])}")
    for mistake in mistakes:
        typer.echo(_describe(mistake))
    if {_kind(result) for result in (*results.values(), *mistakes)} == {"ok"}:
        typer.echo("All settings are valid.")


def _as_records(
    installation: Installation, results: Mapping[str, Result], mistakes: Sequence[Result]
) -> list[dict[str, str | None]]:
    """What was found, in the order of the lines; a mistake in the environment has no place."""
    places = [
        (name, place, results[name])
        for name, place in name_places(installation).items()
        if name in results
    ]
    return [
        {"name": name, "place": place, "kind": _kind(result), "text": _text(result)}
        for name, place, result in (*places, *(("environment", None, it) for it in mistakes))
    ]


def _kind(result: Result) -> str:
    return "ok" if isinstance(result, str) else result.kind


def _text(result: Result) -> str:
    return result if isinstance(result, str) else " ".join(result.text.split())


def _load_installation() -> Installation:
    try:
        return load_installation()
    except InputError as error:
        raise InputError("\n".join([str(error), *find_unknown_variables()])) from None


def _describe(result: Result) -> str:
    """One line for a result, which names its kind if something is wrong."""
    kind = _kind(result)
    return _text(result) if kind == "ok" else f"{kind}: {_text(result)}"
